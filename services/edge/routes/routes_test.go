package routes

import (
	"net/url"
	"path"
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

func TestEveryMistakeIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	const text = `upstreams:
  a: {address: "127.0.0.1:1", polcy: x}
  b: {address: "${HOME}"}
  c: {address: "http://x:1", policy: best}
  d: {tls: maybe, address: "${EDGE_UPSTREAM_NONE}"}
  e: {}
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
extra: 1
`
	_, err := Parse([]byte(text), lookup)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`line 2: upstream a: unknown key "polcy", known are address, policy, tls`,
		"line 3: address: ${HOME}: only variables whose names begin with EDGE_UPSTREAM_",
		"line 4: upstream address", "line 4: balancing policy",
		"line 5: tls: want true, false", "line 5: address: ${EDGE_UPSTREAM_NONE} is not set",
		"line 6: upstream e has no address",
		`line 8: host name "bad host"`, `line 8: host name "x.localhost" is there twice`, `line 8: host name "y:80"`,
		`line 10: path "nope"`, `line 11: upstream "z" is not one of upstreams`, `line 11: timeout "5"`, `line 11: body_limit "3"`,
		`line 12: path "/../x"`, "line 14: path /p is there twice", "line 15: route has no path",
		"line 16: names: the list is empty", "line 17: routes: want a list", `line 18: the file: unknown key "extra"`,
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
	f.Add([]byte("hosts: [{names: &a [x], routes: *a}]\nupstreams: {a: &b {tls: *b}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := Parse(text, lookup)
		if (table == nil) == (err == nil) {
			t.Fatal("neither a table nor an error, or both")
		}
		if table != nil {
			for _, r := range table.Routes {
				if r.Upstream == "" || !strings.HasPrefix(r.Path, "/") {
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
