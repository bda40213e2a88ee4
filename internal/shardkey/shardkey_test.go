package shardkey

import (
	"bytes"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/internal/country"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A request as a test writes it.
type request struct {
	target string
	fields http.Header
	client netip.Addr
}

func (r *request) Target() []byte     { return []byte(r.target) }
func (r *request) Client() netip.Addr { return r.client }

func (r *request) Field(name string, n int) ([]byte, bool) {
	if lines := r.fields[name]; n < len(lines) {
		return []byte(lines[n]), true
	}
	return nil, false
}

func parse(t testing.TB, text string) Key {
	t.Helper()
	key, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return key.In(country.Documentation())
}

func TestEveryWrongPartIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                   {`key "": part 1, "": want uri, path, client, country, header:NAME, cookie:NAME, context:header:NAME or context:cookie:NAME`},
		"context":                            {`want what names the session after context:`},
		"context:path":                       {`part 1, "context:path": want what names the session after context:`},
		"context:context:cookie:a":           {`want what names the session after context:`},
		"context:cookie:":                    {`want the name of a cookie after cookie:`},
		"context:cookie:a+context:cookie:b":  {`part 2, "context:cookie:b": a key has one context`},
		"context:cookie:a+context:cookie:a":  {`it is there twice`},
		"heder:X+path":                       {`key "heder:X+path": part 1, "heder:X": want uri, path`},
		"URI":                                {`part 1, "URI": want uri`},
		"path+":                              {`part 2, "": want uri`},
		"path + uri":                         {`part 1, "path ": want`, `part 2, " uri": want`},
		"path:x":                             {`part 1, "path:x": path takes no name`},
		"uri:":                               {`uri takes no name`},
		"header":                             {`part 1, "header": want the name of a header after header:`},
		"header:":                            {`want the name of a header after header:`},
		"header:X Y":                         {`want the name of a header after header:, of letters, digits and !#$%&'*-.^_`},
		"cookie:a=b":                         {`want the name of a cookie after cookie:`},
		"cookie:ä":                           {`want the name of a cookie`},
		"header:X:Y":                         {`want the name of a header`},
		"path+country+path":                  {`part 3, "path": it is there twice`},
		"header:X-A+header:x-a":              {`part 2, "header:x-a": it is there twice`},
		"header:a+x+cookie:":                 {`part 2, "x": want`, `part 3, "cookie:": want`},
		strings.Repeat("x+", 9) + "path":     {"more than 8 parts"},
		"header:" + strings.Repeat("n", 129): {"want the name of a header"},
	} {
		_, err := Parse(text)
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: %v\nwant %s", text, err, w)
			}
		}
	}
	if _, err := Parse(strings.Repeat("x", 1<<20)); err == nil || len(err.Error()) > 500 {
		t.Error("an error as long as what is wrong")
	}
}

func TestAKeyIsOfTheParts(t *testing.T) {
	t.Parallel()
	r := &request{target: "/a%2Fb/../c?q=1?&r", client: netip.MustParseAddr("198.51.100.200"), fields: http.Header{
		"X-Region": {"eu west"}, "X-List": {"a", "", "b"}, "X-Empty": {""},
		"Cookie": {"a=1; session=abc%3D; b=\"q\"", "session=second; c==x=;d"},
	}}
	for key, want := range map[string]string{
		"uri": "/a%2Fb/../c?q=1?&r", "path": "/a%2Fb/../c", "client": "198.51.100.200", "country": "FR",
		"header:X-Region": "eu west", "header:x-region": "eu west", "header:x-list": "a, , b",
		"cookie:session": "abc%3D", "cookie:b": `"q"`, "cookie:c": "=x=", "cookie:a": "1",
		"country+path": "FR /a%2Fb/../c", "path+country": "/a%2Fb/../c FR", "header:X-Region+uri": "eu west /a%2Fb/../c?q=1?&r",
		"header:x-none+path": " /a%2Fb/../c", "country+cookie:none": "FR ", "client+path": "198.51.100.200 /a%2Fb/../c",
		// What is missing altogether is not one shard's.
		"header:X-None": "/a%2Fb/../c?q=1?&r", "header:X-Empty": "/a%2Fb/../c?q=1?&r", "cookie:none": "/a%2Fb/../c?q=1?&r",
		"cookie:Session": "/a%2Fb/../c?q=1?&r", "cookie:d": "/a%2Fb/../c?q=1?&r", "header:X-None+cookie:none": "/a%2Fb/../c?q=1?&r",
	} {
		if got := string(parse(t, key).Append([]byte("before:"), r)); got != "before:"+want {
			t.Errorf("%s: %q, want %q", key, got, "before:"+want)
		}
	}
}

func TestAClientIsWrittenOneWay(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"::ffff:192.0.2.1": "192.0.2.1", "2001:DB8:0:0::1": "2001:db8::1", "fe80::1%eth0": "fe80::1",
	} {
		r := &request{target: "/x", client: netip.MustParseAddr(addr)}
		if got := string(parse(t, "client").Append(nil, r)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	if got := string(parse(t, "client").Append(nil, &request{target: "/x"})); got != "/x" {
		t.Errorf("of nobody: %q", got)
	}
	if got := string(parse(t, "country+path").Append(nil, &request{target: "/x", client: netip.MustParseAddr("127.0.0.1")})); got != " /x" {
		t.Errorf("of no known country: %q", got)
	}
	unknown, err := Parse("country")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(unknown.Append(nil, &request{target: "/x", client: netip.MustParseAddr("192.0.2.1")})); got != "/x" {
		t.Errorf("without a table: %q", got)
	}
}

// The context is looked up by whoever places keys. What it is of is told by the request.
func TestAContextStandsWhereItsSessionWould(t *testing.T) {
	t.Parallel()
	r := &request{target: "/go?north", fields: http.Header{"X-Player": {"p7"}, "Cookie": {"a=1; player=p8"}}}
	for _, c := range []struct{ key, session, none, north string }{
		{"context:header:x-player", "p7", "p7", "north"},
		{"context:cookie:player", "p8", "p8", "north"},
		{"context:cookie:player+path", "p8", "p8 /go", "north /go"},
		{"path+context:header:X-Player", "p7", "/go p7", "/go north"},
		{"context:cookie:none", "", "/go?north", "north"},
		{"path", "", "/go", "/go"},
	} {
		k := parse(t, c.key)
		if got := string(k.AppendSession([]byte("b:"), r)); got != "b:"+c.session {
			t.Errorf("%s: the session is %q, want %q", c.key, got, c.session)
		}
		if got := string(k.Append([]byte("b:"), r)); got != "b:"+c.none {
			t.Errorf("%s: without a context %q, want %q", c.key, got, c.none)
		}
		if got := string(k.AppendIn([]byte("b:"), r, []byte("north"))); got != "b:"+c.north {
			t.Errorf("%s: in the north %q, want %q", c.key, got, c.north)
		}
		if k.UsesContext() != strings.Contains(c.key, "context") || k.UsesContext() != (k.SessionPart() != "") || !strings.Contains(k.String(), k.SessionPart()) || !strings.EqualFold(k.String(), c.key) {
			t.Errorf("%s is %v", c.key, k)
		}
	}
}

// Robots without the cookie must not make one shard hot.
func TestRequestsThatLackThePartHaveManyKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"cookie:session", "header:X-User", "country", "client", "header:X-User+cookie:session", "context:cookie:session"} {
		k, seen := parse(t, key), map[string]bool{}
		for _, target := range []string{"/a", "/b", "/c?d", "/c?e"} {
			seen[string(k.Append(nil, &request{target: target}))] = true
		}
		if len(seen) != 4 {
			t.Errorf("%s: %d keys of 4 targets", key, len(seen))
		}
	}
}

func TestTheZeroKeyIsTheTarget(t *testing.T) {
	t.Parallel()
	var key Key
	if got := string(key.Append(nil, &request{target: "/x?y"})); got != "/x?y" || key.String() != "uri" {
		t.Errorf("%q, %v", got, key)
	}
}

func TestAKeyIsWrittenAsItIsRead(t *testing.T) {
	t.Parallel()
	var key Key
	if err := key.UnmarshalText([]byte("header:x-region+cookie:Session+country")); err != nil {
		t.Fatal(err)
	}
	if text, err := key.MarshalText(); err != nil || string(text) != "header:X-Region+cookie:Session+country" {
		t.Errorf("%s, %v", text, err)
	}
	if !key.UsesCountry() || !key.UsesClient() || parse(t, "path").UsesClient() || parse(t, "client").UsesCountry() || !parse(t, "client").UsesClient() {
		t.Error("what it uses is told wrongly")
	}
	if key.UnmarshalText([]byte("x")) == nil || key.String() != "header:X-Region+cookie:Session+country" {
		t.Errorf("after a mistake it is %v", key)
	}
}

// A key depends on its parts and on nothing else.
func TestWhatIsNoPartDoesNotCount(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[a-z]{0,3}`)
	draw := func(t *rapid.T, name string) map[string]string {
		return map[string]string{
			"path": "/" + text.Draw(t, name+" path"), "query": text.Draw(t, name+" query"), "header": text.Draw(t, name+" header"),
			"cookie": text.Draw(t, name+" cookie"), "client": rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "203.0.113.1", "127.0.0.1"}).Draw(t, name+" client"),
		}
	}
	build := func(m map[string]string) *request {
		return &request{target: m["path"] + "?" + m["query"], client: netip.MustParseAddr(m["client"]),
			fields: http.Header{"X-A": {m["header"]}, "Cookie": {"other=1; c=" + m["cookie"]}}}
	}
	for key, names := range map[string][]string{
		"path": {"path"}, "uri": {"path", "query"}, "client": {"client"}, "client+path": {"client", "path"},
		"header:X-A+path": {"header", "path"}, "cookie:c+path": {"cookie", "path"}, "path+header:X-A+cookie:c": {"path", "header", "cookie"},
	} {
		k := parse(t, key)
		rapid.Check(t, func(t *rapid.T) {
			a, b := draw(t, "a"), draw(t, "b")
			same := !slices.ContainsFunc(names, func(n string) bool { return a[n] != b[n] })
			if got := bytes.Equal(k.Append(nil, build(a)), k.Append(nil, build(b))); got != same {
				t.Fatalf("%s: %v and %v: equal keys %v", key, a, b, got)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"uri", "country+path", "header:X-Region+path", "cookie:s+client", "header:a+header:b", "path++", "header:", "context:cookie:s+path", "context:header:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(key.String())
		if err != nil || again.String() != key.String() {
			t.Errorf("%q is written as %q, which is read as %q, %v", text, key, again, err)
		}
	})
}

func FuzzAppend(f *testing.F) {
	f.Add("/a?b", "x", "a=1; s=2", "s")
	f.Add("*", "", ";;==;s", "s")
	f.Fuzz(func(t *testing.T, target, field, cookies, name string) {
		r := &request{target: target, fields: http.Header{"X-A": {field}, "Cookie": {cookies}}, client: netip.MustParseAddr("192.0.2.1")}
		for _, text := range []string{"path", "country+path", "header:X-A", "cookie:s", "cookie:s+header:X-A", "context:cookie:s"} {
			first := parse(t, text).Append(nil, r)
			if target != "" && len(first) == 0 && text != "path" {
				t.Errorf("%s: an empty key", text)
			}
			if string(parse(t, text).Append([]byte("b"), r)) != "b"+string(first) {
				t.Errorf("%s depends on what stands before", text)
			}
		}
		if got := findCookie(r, name); name != "" && len(got) > len(cookies) {
			t.Errorf("a cookie of %d bytes", len(got))
		}
	})
}

// A bare request hands out slices that it has, as a data plane does.
type bare struct{ target, field, cookies []byte }

func (b *bare) Target() []byte     { return b.target }
func (b *bare) Client() netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, 9}) }

func (b *bare) Field(name string, n int) ([]byte, bool) {
	if name == "Cookie" {
		return b.cookies, n == 0
	}
	return b.field, n == 0
}

var bareRequest = &bare{[]byte("/word/fleet?lang=en"), []byte("eu-west"), []byte("theme=dark; session=0192f3a1c4de")}

var allKeys = []string{"uri", "path", "client", "country+path", "header:X-Region+path", "cookie:session", "context:cookie:session"}

func TestAKeyAllocatesNothing(t *testing.T) {
	buffer := make([]byte, 0, 256)
	for _, text := range allKeys {
		key := parse(t, text)
		if n := testing.AllocsPerRun(100, func() { buffer = key.Append(buffer[:0], bareRequest) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	buffer := make([]byte, 0, 256)
	for _, text := range allKeys {
		key := parse(b, text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buffer = key.Append(buffer[:0], bareRequest)
			}
		})
	}
}
