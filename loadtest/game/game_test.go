package game

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// two are a world of two shards, which have its columns in turn, and a collector for a player who asks
// where the test says.
func two(t *testing.T) (w *World, a, b *Shard, c *Collector, ask func(h http.Handler)) {
	t.Helper()
	a, b = &Shard{Name: "a"}, &Shard{Name: "b"}
	w = &World{Side: 2, Atlas: &Atlas{}, Home: map[string]*Shard{Region(0, 0): a, Region(0, 1): a, Region(1, 0): b, Region(1, 1): b}}
	w.Enter("p", Region(0, 0))
	var at http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { at.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	c = &Collector{Player: "p", Client: server.Client(), URL: server.URL, Home: w.Home}
	return w, a, b, c, func(h http.Handler) {
		at = h
		c.collect(t.Context())
	}
}

func TestAWalkLosesNothingAndTheShardLeftRefuses(t *testing.T) {
	w, a, b, c, ask := two(t)
	ask(a)
	steps := 0
	w.Between = func() {
		steps++
		for _, s := range []*Shard{a, b} { // nobody has the player between the steps
			ask(s)
		}
	}
	if changed, err := w.Walk("p", Step{1, 0}); err != nil || !changed || steps != 2 {
		t.Fatalf("%v, %v, %d steps", changed, err, steps)
	}
	ask(a)
	ask(b)
	if coins, holders := w.Coins("p"); coins != 2 || holders != 1 || c.Told != 2 || c.Wrong != 0 || c.Misplaced != 0 || c.Failed != 5 {
		t.Errorf("%d coins, %d holders, %+v", coins, holders, c)
	}
	if a.Refused.Load() != 3 || b.Refused.Load() != 2 {
		t.Errorf("%d and %d refused", a.Refused.Load(), b.Refused.Load())
	}
	w.Between = nil
	if changed, err := w.Walk("p", Step{0, -1}); err != nil || changed {
		t.Errorf("within the shard, over the edge: %v, %v", changed, err)
	}
	if _, err := w.Walk("nobody", Step{0, 1}); err == nil {
		t.Error("nobody walked")
	}
}

// The account must not add up where two shards hold a player, where one is forgotten, and
// where a coin is lost.
func TestTheAccountFindsWhatIsWrong(t *testing.T) {
	t.Run("a copy is left behind", func(t *testing.T) {
		w, a, b, c, ask := two(t)
		ask(a)
		b.take("p", Player{Region: Region(1, 0), Coins: 1})
		ask(b)
		if coins, holders := w.Coins("p"); holders != 2 || coins == c.Told {
			t.Errorf("%d coins, %d holders, %d told", coins, holders, c.Told)
		}
	})
	t.Run("a coin is lost", func(t *testing.T) {
		w, a, b, c, ask := two(t)
		ask(a)
		if _, err := a.giveUp("p"); err != nil {
			t.Fatal(err)
		}
		b.take("p", Player{Region: Region(1, 0)})
		ask(b)
		if coins, _ := w.Coins("p"); c.Wrong != 1 || coins == c.Told {
			t.Errorf("%d coins, %+v", coins, c)
		}
	})
	t.Run("carried out twice", func(t *testing.T) {
		_, a, _, c, ask := two(t)
		ask(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.ServeHTTP(httptest.NewRecorder(), r)
			a.ServeHTTP(w, r)
		}))
		if c.Wrong != 1 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("another shard", func(t *testing.T) {
		_, _, b, c, ask := two(t)
		b.take("p", Player{Region: Region(0, 0)})
		ask(b)
		if c.Misplaced != 1 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("an atlas that does not know", func(t *testing.T) {
		a := &Atlas{}
		rec := httptest.NewRecorder()
		a.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/v1/contexts/p", nil))
		if rec.Code != 404 || a.Asked.Load() != 1 {
			t.Errorf("%d", rec.Code)
		}
	})
}
