package upstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestRunIsCalledOnce(t *testing.T) {
	p := static(t, Options{}, "a:1")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(ctx); err == nil {
		t.Error("a stopped pool ran again")
	}
}

func TestStoppedPoolRefusesAndClosesWhenReleased(t *testing.T) {
	var closed atomic.Int32
	p := static(t, Options{Close: func(*Endpoint) { closed.Add(1) }}, "a:1", "b:1")
	flying := mustPick(t, p, "", nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Pick("", nil); !errors.Is(err, ErrNoUpstream) || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("pick: %v", err)
	}
	if closed.Load() != 1 {
		t.Errorf("%d closed, want the idle one", closed.Load())
	}
	flying.Done(OK, 0)
	if closed.Load() != 2 {
		t.Errorf("%d closed after the last release", closed.Load())
	}
}

func TestWaitEndsWithTheContextAndSaysWhy(t *testing.T) {
	p := newPool(t, Options{Name: "d", Address: mustParse(t, "a:1/2"), Intervals: fast})
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	err := p.Wait(ctx)
	if !errors.Is(err, ErrNoUpstream) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 unknown") {
		t.Error(err)
	}
}

// Requests, failures and membership changes at the same time: no request sees
// a closed endpoint, every endpoint is closed once, nothing stays in flight.
func TestChurnUnderLoad(t *testing.T) {
	var opened, closed atomic.Int32
	type transport struct{ closed atomic.Bool }
	o := Options{
		Health: Health{EjectAfter: 2, EjectBase: time.Millisecond, EjectMax: 5 * time.Millisecond, EjectShare: 0.5},
		Open:   func(*Endpoint) any { opened.Add(1); return &transport{} },
		Close: func(e *Endpoint) {
			closed.Add(1)
			if e.Attachment().(*transport).closed.Swap(true) {
				t.Error("closed twice")
			}
		},
	}
	p := static(t, o, "a:1")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	var load sync.WaitGroup
	for n := range 4 {
		load.Go(func() {
			var tried Tried
			for i := range 5000 {
				tried.Reset()
				e, err := p.Pick([]string{"", fmt.Sprint(i)}[n%2], &tried)
				if err != nil {
					t.Errorf("pick: %v", err)
					return
				}
				if e.Attachment().(*transport).closed.Load() {
					t.Error("a closed endpoint was lent")
				}
				e.Done(Outcome(rand.IntN(int(outcomes))), time.Millisecond)
			}
		})
	}
	for round := range 200 {
		list := []Member{{"always", "a:1", ""}}
		for i := range rand.IntN(5) {
			list = append(list, Member{fmt.Sprint("m", i), fmt.Sprint("b:", 1+round%3*10+i), ""})
		}
		p.become(list, nil)
		p.Snapshot()
	}
	load.Wait()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if opened.Load() != closed.Load() || len(p.draining) != 0 {
		t.Errorf("%d opened, %d closed, %d draining", opened.Load(), closed.Load(), len(p.draining))
	}
}

func TestMetricsEndWithTheEndpointAndThePool(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	ctx, cancel := context.WithCancel(context.Background())
	one := static(t, Options{Name: "one", Metrics: registry}, "a:1", "b:1")
	static(t, Options{Name: "two", Metrics: registry}, "a:1")
	if _, err := New(Options{Name: "two", Address: mustParse(t, "a:1"), Metrics: registry}); err == nil {
		t.Error("a second pool of one name was taken")
	}
	e := mustPick(t, one, "", nil)
	e.Report(Timeout, time.Second)
	series := gather(t, registry)
	for name, want := range map[string]float64{
		fmt.Sprintf("upstream_requests_total endpoint=%s outcome=timeout upstream=one", e.Name()): 1,
		fmt.Sprintf("upstream_requests_in_flight endpoint=%s upstream=one", e.Name()):             1,
		fmt.Sprintf("upstream_latency_seconds endpoint=%s upstream=one", e.Name()):                1,
		"upstream_endpoint_state endpoint=a:1 state=passive upstream=two":                         1,
		"upstream_unavailable_total upstream=one":                                                 0,
	} {
		if got, ok := series[name]; !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", name, got, ok, want)
		}
	}
	one.become([]Member{{"c:1", "c:1", ""}}, nil)
	for name := range gather(t, registry) {
		if strings.Contains(name, "endpoint=b:1") {
			t.Errorf("%s outlived its endpoint", name)
		}
	}
	cancel()
	if err := one.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for name := range gather(t, registry) {
		if strings.Contains(name, "upstream=one") {
			t.Errorf("%s outlived its pool", name)
		}
	}
}

// gather returns all series as "name label=value … " → value.
func gather(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			series[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return series
}
