package edge_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What is left of a body that was refused must not be taken for a request.
func TestABodyThatWasNotReadEndsTheConnection(t *testing.T) {
	t.Parallel()
	f := start(t, settings{env: map[string]string{"EDGE_BODY_LIMIT": "64KiB"}}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/early" {
			w.Header().Set("Connection", "close") // else net/http would read the body first
			w.WriteHeader(413)
			return
		}
		io.Copy(io.Discard, r.Body)
	}))
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a.localhost\r\n\r\n"
	for name, head := range map[string]string{
		"refused by the edge":       "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 70000\r\n\r\n",
		"refused early":             "POST /early HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 60000\r\n\r\n",
		"refused early, in chunks":  "POST /early HTTP/1.1\r\nHost: a.localhost\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n",
		"refused before it is sent": "POST /early HTTP/1.1\r\nHost: a.localhost\r\nExpect: 100-continue\r\nContent-Length: 60000\r\n\r\n",
	} {
		// Before it comes a request whose body was read to its end.
		answer := f.say("POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 3\r\n\r\nabc" + head + smuggled)
		in := bufio.NewReader(strings.NewReader(answer))
		r, err := http.ReadResponse(in, nil)
		if body(t, r, err); r.StatusCode != 200 || r.Close {
			t.Errorf("%s: first %d, close %v", name, r.StatusCode, r.Close)
		}
		r, err = http.ReadResponse(in, nil)
		if body(t, r, err); r.StatusCode != 413 || !r.Close {
			t.Errorf("%s: %d, close %v", name, r.StatusCode, r.Close)
		}
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Errorf("%s: the body was read as a request: %.60q", name, rest)
		}
	}
}
