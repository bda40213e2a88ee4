package experiments

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/country"
	"github.com/flotilla-dev/flotilla/internal/shardkey"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func TestReadersAreTheSameInEveryRunAndOfAllCountries(t *testing.T) {
	t.Parallel()
	one, two := newReaders(2000), newReaders(2000)
	seen, n := map[string]int{}, 0
	countries := country.Documentation()
	for one.next() {
		if !two.next() || one.client != two.client || string(one.Target()) != string(two.Target()) {
			t.Fatalf("request %d differs: %v %s, %v %s", n, one.client, one.Target(), two.client, two.Target())
		}
		seen[countries.Of(one.client).String()]++
		n++
	}
	if n != 2000 || two.next() {
		t.Errorf("%d requests", n)
	}
	for code := range languages {
		if seen[code] < 200 {
			t.Errorf("%d readers of %s: %v", seen[code], code, seen)
		}
	}
	if len(seen) != len(languages) {
		t.Errorf("readers of countries without a language: %v", seen)
	}
}

func TestEveryKeyCaseHasAKeyAndAClaim(t *testing.T) {
	t.Parallel()
	for _, c := range keyCases {
		if _, err := shardkey.Parse(c.key); err != nil {
			t.Errorf("%s: %v", c.title, err)
		}
	}
	r := &readers{client: netip.MustParseAddr("203.0.113.9"), number: 3, n: 7}
	if string(r.Target()) != "/page-3?t=7" || r.page() != "/page-3" {
		t.Errorf("%s", r.Target())
	}
}

func TestTheOriginAnswersInTheLanguageOfTheCountry(t *testing.T) {
	for _, vary := range []bool{true, false} {
		upstream, stop, err := languageOrigin(vary)
		if err != nil {
			t.Fatal(err)
		}
		addr, _, _ := strings.Cut(upstream, "/")
		client, err := plain(addr)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodGet, client.URL()+"/page-1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Country", "FR")
		a, resp := client.Do(t.Context(), req)
		if a.Err != nil || resp.Header.Get("Content-Language") != "fr" || (resp.Header.Get("Vary") != "") != vary {
			t.Errorf("%+v, %v", a, resp)
		}
		o := keyOutcome{}
		if err := o.ask(t.Context(), client, "/page-1", "DE"); err != nil || o.wrong != 0 || o.requests != 1 || o.hits != 0 {
			t.Errorf("%+v, %v", o, err)
		}
		client.Close()
		stop()
	}
}

func TestTheBoundsOfCapacityAreThoseOfTheHitRate(t *testing.T) {
	t.Parallel()
	for hitRate, want := range map[float64]float64{0: 1000, 0.5: 2000} {
		if got := tierLimit(hitRate); got != want {
			t.Errorf("%v: %v, want %v", hitRate, got, want)
		}
	}
	if got := int(tierLimit(0.25)); got != 1333 {
		t.Errorf("two of four shards lost: %d", got)
	}
}

// Without a cache an application answers all the same, and tells no hit; what its origin refuses it refuses.
func TestAnAsideGoesOnWithoutItsCache(t *testing.T) {
	refused := errors.New("refused")
	for _, c := range []struct {
		answer openloop.Answer
		status int
		err    error
	}{{openloop.Answer{Status: 200, Cache: "origin; hit"}, 200, nil}, {openloop.Answer{Status: 503}, 503, nil}, {openloop.Answer{Err: refused}, 0, refused}} {
		addr, err := rig.Addr()
		if err != nil {
			t.Fatal(err)
		}
		g := &rig.Rig{Dir: t.TempDir(), Root: "../..", Log: t.Logf}
		a := newAside(g, addr, 10, func(context.Context, string) openloop.Answer { return c.answer })
		got := a.get(t.Context(), "k")
		if got.Status != c.status || !errors.Is(got.Err, c.err) || isHit(got.Cache) || a.unavailable.Load() != 1 || a.misses.Load() != 0 {
			t.Errorf("%+v: %+v, %d unavailable", c.answer, got, a.unavailable.Load())
		}
		a.reset()
		if a.unavailable.Load() != 0 {
			t.Error("counts are not forgotten")
		}
		g.Close()
	}
}
