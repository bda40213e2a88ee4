// Package health keeps the named conditions by which a process is live and
// ready, and answers probes with them.
//
// Liveness and readiness are different questions. A process that is not live
// should be restarted; one that is not ready should get no traffic, and comes
// back by itself. Put a dependency under readiness only: a restart of this
// process mends nothing in another one.
package health

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sort"
	"sync"
	"time"
)

// Timeout bounds one evaluation of all checks, so that a probe always gets an
// answer before its own time-out (a second, in Kubernetes).
const Timeout = 800 * time.Millisecond

// A Check returns nil when its condition holds, else the reason in words that
// may be shown to an operator.
type Check func(context.Context) error

// Checks is the set of conditions of one process. The zero value is not usable;
// see New.
type Checks struct {
	mu       sync.RWMutex // guards all below
	live     map[string]Check
	ready    map[string]Check
	draining bool
}

// New returns an empty set: live and ready.
func New() *Checks {
	return &Checks{live: map[string]Check{}, ready: map[string]Check{}}
}

// Live adds a condition of liveness, replacing one of the same name.
func (c *Checks) Live(name string, check Check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live[name] = check
}

// Ready adds a condition of readiness, replacing one of the same name.
func (c *Checks) Ready(name string, check Check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready[name] = check
}

// Gate adds a condition of readiness that the program sets itself. It is closed
// for the given reason until Open is called.
func (c *Checks) Gate(name, reason string) *Gate {
	g := &Gate{reason: reason, closed: true}
	c.Ready(name, g.check)
	return g
}

// Drain makes the process not ready for good: it was told to stop.
func (c *Checks) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
}

// A Gate is a condition that is either open or closed for a reason.
type Gate struct {
	mu     sync.Mutex // guards all below
	closed bool
	reason string
}

// Open makes the condition hold.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
}

// Close makes the condition fail for a reason.
func (g *Gate) Close(reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed, g.reason = true, reason
}

func (g *Gate) check(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errors.New(g.reason)
	}
	return nil
}

// Result is the state of one condition.
type Result struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

// Report is the state of a process: OK when every condition holds.
type Report struct {
	OK     bool     `json:"ok"`
	Checks []Result `json:"checks"`
}

// IsLive evaluates the conditions of liveness.
func (c *Checks) IsLive(ctx context.Context) Report {
	c.mu.RLock()
	checks := copied(c.live)
	c.mu.RUnlock()
	return evaluate(ctx, checks)
}

// IsReady evaluates the conditions of readiness.
func (c *Checks) IsReady(ctx context.Context) Report {
	c.mu.RLock()
	checks, draining := copied(c.ready), c.draining
	c.mu.RUnlock()
	if draining {
		return Report{Checks: []Result{{Name: "draining", Reason: "the process was told to stop"}}}
	}
	return evaluate(ctx, checks)
}

func copied(from map[string]Check) map[string]Check {
	to := make(map[string]Check, len(from))
	for name, check := range from {
		to[name] = check
	}
	return to
}

// evaluate asks all checks at once: the slowest decides how long it takes.
func evaluate(ctx context.Context, checks map[string]Check) Report {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	results := make(chan Result, len(checks))
	for name, check := range checks {
		go func() { results <- result(name, check(ctx)) }()
	}
	pending := make(map[string]bool, len(checks))
	for name := range checks {
		pending[name] = true
	}
	report := Report{OK: true, Checks: []Result{}}
	for len(pending) > 0 {
		select {
		case r := <-results:
			delete(pending, r.Name)
			report.add(r)
		case <-ctx.Done():
			for name := range pending {
				report.add(Result{Name: name, Reason: "the check gave no answer in time"})
			}
			clear(pending)
		}
	}
	sort.Slice(report.Checks, func(i, j int) bool { return report.Checks[i].Name < report.Checks[j].Name })
	return report
}

func result(name string, err error) Result {
	if err != nil {
		return Result{Name: name, Reason: err.Error()}
	}
	return Result{Name: name, OK: true}
}

func (r *Report) add(one Result) {
	r.Checks = append(r.Checks, one)
	r.OK = r.OK && one.OK
}

// LiveHandler answers 200 when live, else 503, with the report as JSON.
func (c *Checks) LiveHandler() http.Handler { return handler(c.IsLive) }

// ReadyHandler answers 200 when ready, else 503, with the report as JSON.
func (c *Checks) ReadyHandler() http.Handler { return handler(c.IsReady) }

func handler(ask func(context.Context) Report) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report := ask(r.Context())
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !report.OK {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		// The prober is gone when this fails: nobody is left to tell.
		_ = json.NewEncoder(w).Encode(report)
	})
}
