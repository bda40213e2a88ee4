package identity

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/internal/forwarded"
)

const good = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func source(t testing.TB) Source {
	t.Helper()
	s := Source{Cookie: "__Host-experiment"}
	if err := s.Trusted.UnmarshalText([]byte("10.0.0.0/8")); err != nil {
		t.Fatal(err)
	}
	return s
}

func request(peer string, header http.Header) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	if header != nil {
		r.Header = header
	}
	return r
}

func TestACookieThatIsNotOursIsReplaced(t *testing.T) {
	s := source(t)
	for _, cookie := range []string{
		"", "__Host-experiment=", "__Host-experiment=short", "__Host-experiment=" + strings.Repeat("A", 65),
		"__Host-experiment=" + strings.ToLower(good), "experiment=" + good, "__Host-experiment=ABCDEFGHIJKLMNOPQRSTUVWXY0",
	} {
		id := s.Of(request("192.0.2.1:1", http.Header{"Cookie": {cookie}}), plan.Sticky{})
		if !id.Minted || !valid(id.Text) {
			t.Errorf("%q: %+v", cookie, id)
		}
	}
	for _, cookie := range []string{"__Host-experiment=" + good, "a=b; __Host-experiment=bad; __Host-experiment=" + good} {
		if id := s.Of(request("192.0.2.1:1", http.Header{"Cookie": {cookie}}), plan.Sticky{}); id.Minted || id.Text != good {
			t.Errorf("%q: %+v", cookie, id)
		}
	}
}

func TestTheCookieIsSecureWhereItsNameObligesToIt(t *testing.T) {
	id := ID{Text: good, Minted: true}
	if got := source(t).SetCookie(id); got != "__Host-experiment="+good+"; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax" {
		t.Error(got)
	}
	if got := (Source{Cookie: "experiment"}).SetCookie(id); strings.Contains(got, "Secure") {
		t.Error(got)
	}
}

func TestOnlyATrustedProxySaysForWhomItSpeaks(t *testing.T) {
	byAddress := plan.Sticky{By: plan.ByAddress}
	for peer, want := range map[string]string{
		"192.0.2.1:1": "192.0.2.1", "10.0.0.1:1": "198.51.100.7", "[::ffff:10.0.0.1]:1": "198.51.100.7", "nonsense": "",
	} {
		r := request(peer, http.Header{"X-Forwarded-For": {"203.0.113.9, 198.51.100.7"}})
		if id := source(t).Of(r, byAddress); id.Text != want || id.Minted {
			t.Errorf("%s: %+v, want %s", peer, id, want)
		}
	}
}

func TestAHeaderIsAnIdentityOnlyWhenItIsOne(t *testing.T) {
	sticky := plan.Sticky{By: plan.ByHeader, Header: "X-User"}
	for _, values := range [][]string{nil, {""}, {"a", "b"}, {strings.Repeat("x", 257)}} {
		if id := source(t).Of(request("192.0.2.1:1", http.Header{"X-User": values}), sticky); id != (ID{}) {
			t.Errorf("%q: %+v", values, id)
		}
	}
	if id := source(t).Of(request("192.0.2.1:1", http.Header{"X-User": {" ann "}}), sticky); id.Text != "ann" {
		t.Errorf("%+v", id)
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add("__Host-experiment="+good, "ann", "192.0.2.1, 10.0.0.3")
	f.Add(`a="b"; __Host-experiment="`+good+`"`, "", "[::1]:80")
	f.Add(";;;=__Host-experiment=;", "\x00", ",")
	trusted := forwarded.Trusted{}
	if err := trusted.UnmarshalText([]byte("10.0.0.0/8")); err != nil {
		f.Fatal(err)
	}
	s := Source{Cookie: "__Host-experiment", Trusted: trusted}
	f.Fuzz(func(t *testing.T, cookie, user, forwardedFor string) {
		r := request("10.0.0.1:1", http.Header{"Cookie": {cookie}, "X-User": {user}, "X-Forwarded-For": {forwardedFor}})
		id := s.Of(r, plan.Sticky{})
		if !valid(id.Text) {
			t.Fatalf("cookie %q became %q", cookie, id.Text)
		}
		if again := s.Of(r, plan.Sticky{}); !id.Minted && again != id {
			t.Fatalf("%q, then %q", id.Text, again.Text)
		}
		// What we give a browser is what we know it by.
		set, err := http.ParseSetCookie(s.SetCookie(id))
		if err != nil {
			t.Fatal(err)
		}
		back := s.Of(request("10.0.0.1:1", http.Header{"Cookie": {set.Name + "=" + set.Value}}), plan.Sticky{})
		if back.Minted || back.Text != id.Text {
			t.Fatalf("%q came back as %q", id.Text, back.Text)
		}
		if got := s.Of(r, plan.Sticky{By: plan.ByHeader, Header: "X-User"}); len(got.Text) > maxHeader || got.Minted {
			t.Fatalf("header %q: %+v", user, got)
		}
		if got := s.Of(r, plan.Sticky{By: plan.ByAddress}); got.Text == "" || got.Minted {
			t.Fatalf("address %q: %+v", forwardedFor, got)
		}
	})
}
