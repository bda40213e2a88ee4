package shardkey_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/flotilla-dev/flotilla/internal/country"
	"github.com/flotilla-dev/flotilla/internal/shardkey"
)

// A request of net/http as keys want it.
type httpRequest struct {
	*http.Request
	client netip.Addr // by forwarded.Trusted
}

func (r httpRequest) Target() []byte     { return []byte(r.RequestURI) }
func (r httpRequest) Client() netip.Addr { return r.client }

func (r httpRequest) Field(name string, n int) ([]byte, bool) {
	if lines := r.Header[name]; n < len(lines) {
		return []byte(lines[n]), true
	}
	return nil, false
}

func Example() {
	r := httptest.NewRequest("GET", "/word/fleet?lang=en", nil)
	r.Header.Set("Cookie", "theme=dark; session=42")
	request := httpRequest{r, netip.MustParseAddr("203.0.113.9")}
	for _, text := range []string{"uri", "path", "country+path", "cookie:session", "header:X-Region+path", "header:X-Region"} {
		key, err := shardkey.Parse(text)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %q\n", text, key.In(country.Documentation()).Append(nil, request))
	}
	// Output:
	// uri: "/word/fleet?lang=en"
	// path: "/word/fleet"
	// country+path: "DE /word/fleet"
	// cookie:session: "42"
	// header:X-Region+path: " /word/fleet"
	// header:X-Region: "/word/fleet?lang=en"
}

func ExampleParse() {
	_, err := shardkey.Parse("heder:X-Region+path")
	fmt.Println(err)
	// Output: key "heder:X-Region+path": part 1, "heder:X-Region": want uri, path, client, country, header:NAME, cookie:NAME, context:header:NAME or context:cookie:NAME
}
