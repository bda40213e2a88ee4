package routes

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func lookup(name string) (string, bool) {
	v, ok := map[string]string{"EDGE_UPSTREAM_CACHE": "127.0.0.1:8081/9081", "EDGE_UPSTREAM_EMPTY": ""}[name]
	return v, ok
}

func TestTheFleetsFileIsValid(t *testing.T) {
	t.Parallel()
	table, err := Parse(Fleet(), lookup)
	if err != nil {
		t.Fatal(err)
	}
	u := table.Upstreams[0]
	if u.Name != "cache" || u.Address != "127.0.0.1:8081/9081" || !u.TLS || u.ServerName != "cache" {
		t.Errorf("%+v", u)
	}
	r := table.Host("dictionary.localhost").Route("/dog")
	if r == nil || r.Upstream != "cache" || r.Timeout != 30*time.Second || r.BodyLimit != 1<<20 {
		t.Errorf("%+v", r)
	}
	if table.Host("other.localhost") != nil {
		t.Error("a host that is not in the file was found")
	}
}

// Strangers read what was written, and do not write.
func TestTheFleetsSearchIsOpenForReadersOnly(t *testing.T) {
	t.Parallel()
	table, err := Parse(Fleet(), func(name string) (string, bool) { return "127.0.0.1:8107/9107", name != "EDGE_UPSTREAM_CACHE_NAME" })
	if err != nil {
		t.Fatal(err)
	}
	host := table.Host("search.localhost")
	for _, path := range []string{"/", "/assets/style.0123.css", "/v1/search", "/v1/documents/n01", "/v1/documents/a%2Fb", "/v1/explain/n01", "/v1/openapi.yaml"} {
		r := host.Route(path)
		if r == nil {
			t.Errorf("%s is closed", path)
			continue
		}
		for method, want := range map[string]bool{"GET": true, "HEAD": true, "POST": false, "PUT": false, "DELETE": false, "PATCH": false, "OPTIONS": false, "get": false, "": false, "MKCOL": false} {
			if r.Allows(method) != want {
				t.Errorf("%s %s: %t", method, path, !want)
			}
		}
	}
	for _, path := range []string{"/v1/documents", "/v1/marks/x", "/v1/status", "/v1/", "/x", "/v1/search/", "//", "/%2F"} {
		if r := host.Route(path); r != nil {
			t.Errorf("%s is open: %+v", path, r)
		}
	}
}

func TestAnOptionalUpstreamWithoutAnAddressIsAsIfItWereNotThere(t *testing.T) {
	t.Parallel()
	const text = `
upstreams:
  must: {address: "127.0.0.1:1"}
  may: {address: "${EDGE_UPSTREAM_MAY:-}", optional: true}
hosts:
  - {names: [only.localhost, "*.only.localhost"], routes: [{path: /, upstream: may}]}
  - {names: ["*"], routes: [{path: /, upstream: may}, {path: /x, upstream: may}]}
  - {names: [both.localhost], routes: [{path: /, upstream: must}, {path: /may/, upstream: may}, {path: /may, upstream: may}, {path: /must, upstream: must}]}
`
	for address, there := range map[string]bool{"": false, "127.0.0.1:2": true} {
		table, err := Parse([]byte(text), func(string) (string, bool) { return address, true })
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"only.localhost", "a.only.localhost", "else"} {
			if host := table.Host(name); (host != nil) != there {
				t.Errorf("address %q: %s is %+v", address, name, host)
			}
		}
		both := table.Host("both.localhost")
		for path, want := range map[string]string{"/may/1": "may", "/may": "may", "/must": "must", "/": "must"} {
			if !there {
				want = "must"
			}
			r := both.Route(path)
			if r == nil || r.Upstream != want {
				t.Errorf("address %q: %s leads to %+v", address, path, r)
				continue
			}
			if table.Routes[r.Index] != r {
				t.Errorf("address %q: %s is not number %d of %d", address, path, r.Index, len(table.Routes))
			}
		}
		if got := slices.ContainsFunc(table.Upstreams, func(u Upstream) bool { return u.Name == "may" && u.Optional }); got != there {
			t.Errorf("address %q: %+v", address, table.Upstreams)
		}
	}
}

func TestEveryMistakeIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	const text = `upstreams:
  a: {address: "127.0.0.1:1", polcy: x}
  b: {address: "${HOME}"}
  c: {address: "http://x:1", policy: best}
  d: {tls: maybe, address: "${EDGE_UPSTREAM_NONE}"}
  e: {}
  f: {address: "${EDGE_UPSTREAM_EMPTY:-}"}
  g: {address: "${EDGE_UPSTREAM_EMPTY:-}", optional: true}
  h: {address: "127.0.0.1:1", optional: maybe}
hosts:
  - names: [x.localhost, "bad host", "x.localhost", y:80]
    routes:
      - {path: nope, upstream: a}
      - {path: /, upstream: z, timeout: 5, body_limit: 3}
      - {path: /../x, upstream: a}
      - {path: /p, upstream: a}
      - {path: /%70, upstream: a}
      - {upstream: a}
  - names: []
    routes: {}
  - names: [z.localhost]
    routes:
      - {path: /a, upstream: a, methods: [GET, get, GTE, TRACE, ""]}
      - {path: /b, upstream: a, methods: [GET, GET]}
      - {path: /c, upstream: a, methods: []}
      - {path: /d, upstream: a, methods: GET}
      - {path: /e, upstream: a, exact: 1}
      - {path: /f, upstream: g}
      - {path: /f, upstream: g, exact: true}
extra: 1
`
	_, err := Parse([]byte(text), lookup)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`line 2: upstream a: unknown key "polcy", known are address, optional, policy, tls`,
		"line 3: address: ${HOME}: only variables whose names begin with EDGE_UPSTREAM_",
		"line 4: upstream address", "line 4: balancing policy",
		"line 5: tls: want true, false", "line 5: address: ${EDGE_UPSTREAM_NONE} is not set",
		"line 6: upstream e has no address",
		"line 7: address is empty", "line 9: optional: want true or false",
		`line 11: host name "bad host"`, `line 11: host name "x.localhost" is there twice`, `line 11: host name "y:80"`,
		`line 13: path "nope"`, `line 14: upstream "z" is not one of upstreams`, `line 14: timeout "5"`, `line 14: body_limit "3"`,
		`line 15: path "/../x"`, "line 17: path /p is there twice", "line 18: route has no path",
		"line 19: names: the list is empty", "line 20: routes: want a list",
		`line 23: method "get": want one of GET, HEAD, POST`, `line 23: method "GTE"`, `line 23: method "TRACE"`, "line 23: methods is empty",
		"line 24: method GET is there twice", "line 25: methods: the list is empty", "line 26: methods: want a list", "line 27: exact: want true or false",
		"line 29: path /f is there twice", `line 30: the file: unknown key "extra"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not named: %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	for _, text := range []string{"", "a: [", "---\n", "- a", "hosts: *x", "upstreams: {a: {address: 127.0.0.1:1}}", "a: 1\n---\nb: 2", "\x00"} {
		if _, err := Parse([]byte(text), lookup); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestHostsMatchByNameThenWildcardThenStar(t *testing.T) {
	t.Parallel()
	table, err := Parse([]byte(`
upstreams: {u: {address: "127.0.0.1:1"}}
hosts:
  - {names: [a.x.org], routes: [{path: /exact, upstream: u}]}
  - {names: ["*.x.org"], routes: [{path: /wild, upstream: u}]}
  - {names: ["*"], routes: [{path: /any, upstream: u}]}
`), lookup)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a.x.org": "/exact", "b.x.org": "/wild", "c.b.x.org": "/any", "x.org": "/any", "": "/any", ".x.org": "/any",
	} {
		if h := table.Host(name); h == nil || h.Route(want) == nil {
			t.Errorf("%q is not %s", name, want)
		}
	}
}

func TestTheLongestPathWins(t *testing.T) {
	t.Parallel()
	table, err := Parse([]byte(`
upstreams: {u: {address: "127.0.0.1:1"}}
hosts: [{names: ["*"], routes: [{path: /, upstream: u}, {path: /a/b/, upstream: u}, {path: /a/, upstream: u}, {path: /a/b, upstream: u}]}]
`), lookup)
	if err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{"/": "/", "/a": "/", "/a/": "/a/", "/a/c": "/a/", "/a/b": "/a/b", "/a/b/c": "/a/b/", "/a/bc": "/a/"} {
		if got := table.Host("x").Route(asked); got == nil || got.Path != want {
			t.Errorf("%s: %+v, want %s", asked, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Fleet())
	f.Add([]byte("upstreams: {a: {address: \"${EDGE_UPSTREAM_EMPTY:-}\", optional: true}}\nhosts: [{names: [x], routes: [{path: /, exact: true, upstream: a, methods: [GET]}]}]"))
	f.Add([]byte("hosts: [{names: &a [x], routes: *a}]\nupstreams: {a: &b {tls: *b}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := Parse(text, lookup)
		if (table == nil) == (err == nil) {
			t.Fatal("neither a table nor an error, or both")
		}
		if table != nil {
			for i, r := range table.Routes {
				if r.Index != i {
					t.Errorf("%d has the number %d", i, r.Index)
				}
				if r.Upstream == "" || r.Methods != nil && len(r.Methods) == 0 || !strings.HasPrefix(r.Path, "/") {
					t.Errorf("%+v", r)
				}
			}
		}
	})
}

func FuzzHostName(f *testing.F) {
	for _, s := range []string{"a.localhost:8443", "[::1]:1", "A.", "a..b", "a b", "*.x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, field string) {
		name, ok := HostName(field)
		if !ok {
			return
		}
		if again, ok := HostName(name); !ok && name != "" || again != name {
			t.Errorf("%q → %q → %q", field, name, again)
		}
		if strings.ContainsAny(name, " /\\@\r\n\t\x00*,;") || name != strings.ToLower(name) {
			t.Errorf("%q → %q", field, name)
		}
	})
}

func FuzzComparable(f *testing.F) {
	for _, s := range []string{"/a/%2e%2E/b", "/%61", "/a%2Fb", "/..", "/.", "/a/./b", "/%", "/..a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		form, ok := Comparable(asked)
		if !ok || !strings.HasPrefix(asked, "/") {
			return
		}
		if again, ok := Comparable(form); !ok || again != form {
			t.Errorf("%q → %q → %q", asked, form, again)
		}
		// Whatever decodes and cleans the path must stay within the route.
		if decoded, err := url.PathUnescape(form); err == nil && !strings.Contains(strings.ToUpper(form), "%2F") {
			for _, segment := range strings.Split(decoded, "/") {
				if segment == ".." || segment == "." {
					t.Errorf("%q hides a dot segment; cleaned it is %q", asked, path.Clean(decoded))
				}
			}
		}
	})
}
