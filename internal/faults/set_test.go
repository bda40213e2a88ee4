package faults_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/faults"
)

// newSet returns a set with rules in JSON.
func newSet(t testing.TB, content string) *faults.Set {
	t.Helper()
	s, err := faults.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, s, content)
	return s
}

func replace(t testing.TB, s *faults.Set, content string) {
	t.Helper()
	rules, err := faults.Parse([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Replace(rules); err != nil {
		t.Fatal(err)
	}
}

func always(x float64) func() float64 { return func() float64 { return x } }

func TestNothingHappensWithoutRules(t *testing.T) {
	var none *faults.Set
	cleared := newSet(t, `[{"fault":"abort"}]`)
	replace(t, cleared, `[]`)
	for _, s := range []*faults.Set{none, newSet(t, `[]`), cleared} {
		if d := s.Decide("GET", "/", nil); !d.None() || d.Apply(t.Context()) != nil || s.Rules() != nil {
			t.Errorf("%+v", d)
		}
	}
}

func TestRoutes(t *testing.T) {
	for rule, want := range map[string]string{ // which of the requests below are hit
		`{"fault":"abort"}`:                               "1111",
		`{"fault":"abort","path":"/"}`:                    "1111",
		`{"fault":"abort","path":"/v1/"}`:                 "0011",
		`{"fault":"abort","path":"/dog"}`:                 "1000",
		`{"fault":"abort","method":"POST"}`:               "0001",
		`{"fault":"abort","method":"GET","path":"/v1/"}`:  "0010",
		`{"fault":"abort","method":"HEAD","path":"/v1/"}`: "0000",
		`{"fault":"abort","path":"/v1"}`:                  "0000",
	} {
		s := newSet(t, "["+rule+"]")
		got := ""
		for _, r := range [][2]string{{"GET", "/dog"}, {"GET", "/dogs"}, {"GET", "/v1/random"}, {"POST", "/v1/recent"}} {
			d := s.Decide(r[0], r[1], nil)
			got += map[bool]string{true: "1", false: "0"}[d.Abort]
		}
		if got != want {
			t.Errorf("%s: %s, want %s", rule, got, want)
		}
	}
}

func TestRulesAddUpUntilOneEnds(t *testing.T) {
	s := newSet(t, `[
		{"fault":"latency","delay":"100ms"},
		{"fault":"pause"},
		{"fault":"latency","delay":"100ms","jitter":"50ms"},
		{"fault":"status","status":500,"probability":0.3},
		{"fault":"abort","probability":0.5},
		{"fault":"blackhole"},
		{"fault":"latency","delay":"5m"}
	]`)
	for random, want := range map[float64]faults.Decision{
		0.2: {Delay: 170 * time.Millisecond, Pause: true, Status: 500}, // 100 + 100 + (2·0.2-1)·50
		0.3: {Delay: 180 * time.Millisecond, Pause: true, Abort: true},
		0.5: {Delay: 200 * time.Millisecond, Pause: true, BlackHole: true},
	} {
		d := s.Decide("GET", "/", always(random))
		if d.Delay != want.Delay || d.Pause != want.Pause || d.Status != want.Status || d.Abort != want.Abort || d.BlackHole != want.BlackHole {
			t.Errorf("random %v: %+v, want %+v", random, d, want)
		}
	}
}

func TestProbabilityIsTheShareHit(t *testing.T) {
	s := newSet(t, `[{"fault":"abort","probability":0.1}]`)
	hit := 0
	const n = 100_000
	for range n {
		if d := s.Decide("GET", "/", nil); d.Abort {
			hit++
		}
	}
	if share := float64(hit) / n; share < 0.09 || share > 0.11 {
		t.Errorf("probability 0.1 hit %v", share)
	}
	replace(t, s, `[{"fault":"abort","probability":0}]`)
	if d := s.Decide("GET", "/", always(0)); !d.None() {
		t.Error("probability 0 hit")
	}
}

func TestApplyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		d := newSet(t, `[{"fault":"latency","delay":"3s"},{"fault":"status","status":503}]`).Decide("GET", "/", nil)
		if err := d.Apply(t.Context()); err != nil || time.Since(began) != 3*time.Second {
			t.Errorf("latency: %v after %s", err, time.Since(began))
		}
		for _, fault := range []string{`"latency","delay":"1m"`, `"pause"`, `"blackhole"`} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			d := newSet(t, `[{"fault":`+fault+`}]`).Decide("GET", "/", nil)
			if err := d.Apply(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", fault, err)
			}
			cancel()
		}
		d = newSet(t, `[{"fault":"abort"}]`).Decide("GET", "/", nil)
		if err := d.Apply(t.Context()); err != faults.ErrAbort {
			t.Errorf("abort: %v", err)
		}
	})
}

func TestChangeOfRulesEndsPauseAndBlackHole(t *testing.T) {
	for fault, want := range map[string]error{"pause": nil, "blackhole": faults.ErrAbort} {
		synctest.Test(t, func(t *testing.T) {
			s := newSet(t, `[{"fault":"`+fault+`"}]`)
			got := make(chan error, 1)
			go func() {
				d := s.Decide("GET", "/", nil)
				got <- d.Apply(t.Context())
			}()
			synctest.Wait()
			select {
			case err := <-got:
				t.Errorf("%s ended by itself: %v", fault, err)
			default:
			}
			replace(t, s, `[]`)
			if err := <-got; err != want {
				t.Errorf("%s: %v, want %v", fault, err, want)
			}
		})
	}
}

func TestReplaceRefusesWrongRules(t *testing.T) {
	s := newSet(t, `[{"fault":"abort"}]`)
	if err := s.Replace([]faults.Rule{{Fault: "nonsense"}}); err == nil || len(s.Rules()) != 1 || s.Rules()[0].Fault != "abort" {
		t.Errorf("%v, rules %v", err, s.Rules())
	}
}

func TestConcurrentUse(t *testing.T) {
	s := newSet(t, `[{"fault":"pause"}]`)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				replace(t, s, `[{"fault":"pause"}]`)
			}
			replace(t, s, `[]`)
		})
		all.Go(func() {
			for range 500 {
				d := s.Decide("GET", "/", nil)
				if err := d.Apply(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestInjectionsAreCounted(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s, err := faults.New(registry)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := faults.New(registry); err == nil {
		t.Error("two sets in one registry")
	}
	replace(t, s, `[{"fault":"latency","delay":"1s"},{"fault":"abort"}]`)
	s.Decide("GET", "/", nil)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].Metric) != 5 {
		t.Fatalf("%v, %v", families, err)
	}
	for _, m := range families[0].Metric {
		kind := m.Label[0].GetValue()
		want := map[string]float64{"latency": 1, "abort": 1}[kind]
		if got := m.Counter.GetValue(); got != want {
			t.Errorf("%s counted %v, want %v", kind, got, want)
		}
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	for _, rules := range []string{`[]`, `[{"fault":"latency","delay":"1s","jitter":"1s","probability":0.5},{"fault":"abort","path":"/v1/"}]`} {
		s := newSet(t, rules)
		if n := testing.AllocsPerRun(100, func() { s.Decide("GET", "/v1/x", nil) }); n != 0 {
			t.Errorf("%s: %v allocations", rules, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	for name, rules := range map[string]string{
		"no rules":  `[]`,
		"two rules": `[{"fault":"latency","delay":"1s","path":"/x/"},{"fault":"abort","path":"/v1/","probability":0.5}]`,
	} {
		b.Run(name, func(b *testing.B) {
			s := newSet(b, rules)
			b.ReportAllocs()
			for b.Loop() {
				s.Decide("GET", "/v1/x", nil)
			}
		})
	}
}

// A transport of any kind asks, waits, and then answers, closes or goes on.
func ExampleSet_Decide() {
	set, _ := faults.New(nil)
	rules, _ := faults.Parse([]byte(`[{"path": "/dog", "fault": "status", "status": 503}, {"path": "/cat", "fault": "abort"}]`))
	_ = set.Replace(rules)
	for _, path := range []string{"/dog", "/cat", "/cow"} {
		d := set.Decide("GET", path, nil)
		if err := d.Apply(context.Background()); err != nil {
			fmt.Println(path, "close the connection:", err)
			continue
		}
		if d.Status != 0 {
			fmt.Println(path, "answer", d.Status)
			continue
		}
		fmt.Println(path, "go on")
	}
	// Output:
	// /dog answer 503
	// /cat close the connection: fault injected: abort
	// /cow go on
}
