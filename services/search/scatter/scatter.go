package scatter

import (
	"cmp"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Options are how calls are made. The zero value hedges nothing and tries once.
type Options struct {
	// Quantile of the latencies of a kind of call after which it is hedged, such as 0.98. 0: never.
	Quantile float64
	Window   time.Duration // over which latencies are measured; default 30s
	Least    int           // samples in the window from which on it is believed; default 50
	First    time.Duration // after which a call is hedged until then; default 100ms
	Floor    time.Duration // no call is hedged earlier; default 1ms: a timer is no more exact
	Hedges   *retry.Budget // of hedges, earned by calls; nil allows none

	Attempts int // most calls to replicas of one shard, hedges included; default 1

	Metrics prometheus.Registerer // nil means none
}

// A Shard is a part of the whole that is asked.
type Shard struct {
	Pool    *upstream.Pool // its replicas
	Retries *retry.Budget  // of replacements for replicas that failed; nil allows none
	Waits   bool           // a replica is asked to wait for something that may never come: that it takes long is no fault of it
}

// A Scatterer makes calls. It is safe for concurrent use.
type Scatterer struct {
	options Options
	metrics *metrics
	calls   sync.WaitGroup

	mu    sync.Mutex // guards below
	kinds map[string]*Kind
}

// A Kind is calls that are comparable: their latencies are measured together. Make few of them.
type Kind struct {
	Name   string
	owner  *Scatterer
	window window
}

// New returns a Scatterer.
func New(o Options) *Scatterer {
	o.Window = cmp.Or(o.Window, 30*time.Second)
	o.Least = cmp.Or(o.Least, 50)
	o.First = cmp.Or(o.First, 100*time.Millisecond)
	o.Floor = cmp.Or(o.Floor, time.Millisecond)
	o.Attempts = min(max(o.Attempts, 1), upstream.MaxTried)
	s := &Scatterer{options: o, kinds: map[string]*Kind{}}
	s.metrics = newMetrics(o.Metrics)
	return s
}

// Kind returns the calls of a name.
func (s *Scatterer) Kind(name string) *Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[name]
	if k == nil {
		k = &Kind{Name: name, owner: s, window: window{quantile: s.options.Quantile, span: s.options.Window, least: s.options.Least}}
		s.kinds[name] = k
		s.metrics.watch(k)
	}
	return k
}

// Wait returns when all calls are over, also those that lost. Ask nothing any more before.
func (s *Scatterer) Wait() { s.calls.Wait() }

// Delay is after how long a call is hedged now.
func (k *Kind) Delay() time.Duration {
	o := &k.owner.options
	if measured, known := k.window.get(); known {
		return max(measured, o.Floor)
	}
	return max(o.First, o.Floor)
}
