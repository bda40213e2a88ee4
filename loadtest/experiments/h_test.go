package experiments

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/country"
	"github.com/flotilla-dev/flotilla/internal/shardkey"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
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

func TestASecondsHitRateIsCountedOnItsOwn(t *testing.T) {
	t.Parallel()
	h := &hitsBySecond{begin: time.Now().Add(-time.Second)}
	for i := range rollRate {
		a := openloop.Answer{Status: 200, Cache: "c; hit"}
		if i%4 == 0 {
			a.Cache = "c; fwd=miss"
		}
		h.count(a)
	}
	h.count(openloop.Answer{Err: errors.New("refused"), Cache: "c; hit"})
	if rate, worst := h.rates(); rate > 0.75 || rate < 0.74 || worst > 0.76 {
		t.Errorf("rate %v, worst second %v", rate, worst)
	}
	h.reset()
	if rate, worst := h.rates(); rate != 0 || worst != 1 {
		t.Errorf("after a reset: %v, %v", rate, worst)
	}
}

// What was in the cache of a lost server is missing once, and a cache that never fills is told.
func TestALossIsCountedByPasses(t *testing.T) {
	t.Parallel()
	g := &rig.Rig{Dir: t.TempDir(), Root: "../..", Log: t.Logf}
	defer g.Close()
	p, err := g.Start(t.Context(), rig.Spec{Name: "sleeper", Path: "sh", Args: []string{"-c", "sleep 600"}})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards held
	held := map[int]bool{}
	c := &lossRig{
		keys: 100, first: p, held: func() (int, error) { return 25, nil }, back: func() error { return nil },
		get: func(_ context.Context, n int) openloop.Answer {
			mu.Lock()
			defer mu.Unlock()
			known := held[n] && (n >= 25 || !p.Ended())
			if held[n] = true; known {
				return openloop.Answer{Status: 200, Cache: "c; hit"}
			}
			return openloop.Answer{Status: 200}
		},
	}
	table := &proof.Table{}
	l, err := loseShard(t.Context(), table, "test", func() (*lossRig, error) { return c, nil })
	if err != nil || l.share != 0.25 || l.lost != 0.25 || l.again != 0.25 || l.back != 0 || l.failed != 0 || len(table.Rows) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	c.get = func(context.Context, int) openloop.Answer { return openloop.Answer{Status: 200} }
	if _, err := loseShard(t.Context(), table, "test", func() (*lossRig, error) { return c, nil }); err == nil || !strings.Contains(err.Error(), "are still missing") {
		t.Errorf("%v", err)
	}
}
