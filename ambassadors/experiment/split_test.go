package experiment

import (
	"net/http"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestUsersAreServedByTheirArmAndAnswersSayWhich(t *testing.T) {
	production, arm := serve(t, "production", nil), serve(t, "next", nil)
	w := start(t, production.addr(), next(arm.addr()), nil)
	for range 5 {
		for id, want := range map[string]string{inside: "next", outside: "production"} {
			resp, body := w.get("/", id)
			if body != want || resp.Header.Get(Field) != want || resp.Header.Get("Vary") != "Cookie" || resp.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s was served by %s, %v", id, body, resp.Header)
			}
		}
	}
	if r, _ := arm.last(); r.Header.Get(Field) != "next" {
		t.Errorf("the arm was told %q", r.Header.Get(Field))
	}
}

func TestANewUserGetsACookieThatKeepsTheArmAndNoCacheSharesIt(t *testing.T) {
	public := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=60, s-maxage=600")
			w.Header().Set("Vary", "Accept")
			_, _ = w.Write([]byte(name))
		}
	}
	production, arm := serve(t, "", public("production")), serve(t, "", public("next"))
	w := start(t, production.addr(), next(arm.addr()), nil)
	seen := map[string]bool{}
	for range 20 {
		resp, first := w.get("/", "")
		if len(resp.Cookies()) != 1 || resp.Header.Get("Cache-Control") != "max-age=60, private" {
			t.Fatalf("%v", resp.Header)
		}
		if got := strings.Join(resp.Header["Vary"], ", "); got != "Accept, Cookie" {
			t.Errorf("Vary: %s", got)
		}
		seen[first] = true
		resp, again := w.get("/", resp.Cookies()[0].Value)
		if again != first || len(resp.Cookies()) != 0 || resp.Header.Get("Cache-Control") != "public, max-age=60, s-maxage=600" {
			t.Errorf("%s, then %s, %v", first, again, resp.Header)
		}
	}
	if len(seen) != 2 { // one in a million
		t.Errorf("twenty users were all served by %v", seen)
	}
}

func TestWhereNothingIsTriedNothingIsSet(t *testing.T) {
	production := serve(t, "production", nil)
	w := start(t, production.addr(), "experiments: [{name: next, percent: 0, upstream: '127.0.0.1:1'}, {name: b, percent: 100, path: /b, upstream: '127.0.0.1:1', sticky: 'header:X-User'}]", nil)
	for _, path := range []string{"/", "/bb"} {
		if resp, _ := w.get(path, ""); resp.Header.Get(Field) != "production" || len(resp.Cookies()) > 0 || resp.Header.Get("Vary") != "" {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
	// A user who cannot be told from others is production's.
	if resp, _ := w.get("/b", ""); resp.Header.Get(Field) != "production" || resp.Header.Get("Vary") != "X-User" {
		t.Errorf("%v", resp.Header)
	}
}

func TestByAddressOnlyTrustedProxiesSpeakForOthers(t *testing.T) {
	production, arm := serve(t, "production", nil), serve(t, "next", nil)
	file := next(arm.addr(), "sticky: client-address")
	addresses := map[bool]string{}
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8"} {
		addresses[slotOf("next", a) < 5000] = a
	}
	w := start(t, production.addr(), file, map[string]string{"EXPERIMENT_TRUSTED_PROXIES": "127.0.0.0/8"})
	for in, want := range map[bool]string{true: "next", false: "production"} {
		resp, body := w.get("/", "", "X-Forwarded-For", addresses[in])
		if body != want || resp.Header.Get("Cache-Control") != "private" {
			t.Errorf("%s: %s %v", addresses[in], body, resp.Header)
		}
	}
	r, _ := production.last()
	if got := r.Header.Get("X-Forwarded-For"); got != addresses[false]+", 127.0.0.1" {
		t.Errorf("X-Forwarded-For: %s", got)
	}

	w = start(t, production.addr(), file, nil) // which trusts nobody
	_, one := w.get("/", "", "X-Forwarded-For", addresses[true], "X-Real-IP", "192.0.2.9", "X-Forwarded-Proto", "https")
	_, other := w.get("/", "", "X-Forwarded-For", addresses[false])
	if one != other {
		t.Errorf("a client chose its arm: %s and %s", one, other)
	}
	for _, o := range []*origin{production, arm} {
		if r, _ := o.last(); r != nil && one == map[*origin]string{production: "production", arm: "next"}[o] &&
			(r.Header.Get("X-Forwarded-For") != "127.0.0.1" || r.Header.Get("X-Real-IP") != "" || r.Header.Get("X-Forwarded-Proto") != "http") {
			t.Errorf("%v", r.Header)
		}
	}
}

func TestTheRequestReachesTheArmAsItWas(t *testing.T) {
	arm := serve(t, "next", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	w := start(t, nettest.Refuse(t), next(arm.addr()), nil)
	resp, _ := processtest.Do(t, http.DefaultClient, http.MethodPost, "http://"+w.Data+"/a%2Fb?c=d&e", "body", "Cookie", "experiment="+inside,
		"Upgrade", "websocket", "Connection", "Upgrade, X-Hop", "X-Hop", "1", Field, "forged", "X-Shadow", "forged")
	r, body := arm.last()
	if resp.StatusCode != http.StatusTeapot || r.RequestURI != "/a%2Fb?c=d&e" || body != "body" || r.Host != w.Data || r.ContentLength != 4 {
		t.Errorf("%d: %s %q %s %d", resp.StatusCode, r.RequestURI, body, r.Host, r.ContentLength)
	}
	for field, want := range map[string]string{"Upgrade": "", "X-Hop": "", "X-Shadow": "", Field: "next", "Cookie": "experiment=" + inside} {
		if got := r.Header.Get(field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
}
