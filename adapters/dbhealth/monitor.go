package dbhealth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Pulse is whether the database says anything.
type Pulse string

const (
	Unheard Pulse = "unheard" // nobody has listened yet
	Speaks  Pulse = "speaks"
	Stopped Pulse = "refuses" // it refuses connections
	Silent  Pulse = "silent"  // it accepts connections, and says nothing
)

// state is what is known of the database.
type state struct {
	err     error // of the last check; nil: ready
	found   findings
	checked time.Time // when the last check ended
	took    time.Duration
	pulse   Pulse
	since   time.Time // of the pulse: when the first check of this kind in a row began
	late    bool      // a check is under way that is overdue
}

// monitor runs one check at a time and keeps what it found.
type monitor struct {
	cfg     Config
	check   func(context.Context, *ear) (findings, error)
	log     *slog.Logger
	metrics *metrics
	now     func() time.Time
	ctx     context.Context // of checks; ends with the process
	checks  sync.WaitGroup

	mu      sync.Mutex // guards all below
	state   state
	running *attempt // nil when none is
}

// attempt is a check that runs.
type attempt struct {
	began time.Time
	ear   *ear
	done  chan struct{}
}

var errNotAsked = &verdict{NotAsked, "no check has ended yet"}

func newMonitor(ctx context.Context, cfg Config, check func(context.Context, *ear) (findings, error), log *slog.Logger, m *metrics) *monitor {
	return &monitor{cfg: cfg, check: check, log: log, metrics: m, now: time.Now, ctx: ctx, state: state{err: errNotAsked, pulse: Unheard}}
}

// patience is how long a check goes on whose probes have been answered: the
// longer it listens, the slower a database may be without being taken for dead.
func (m *monitor) patience() time.Duration {
	return min(max(m.cfg.HangLimit/2, m.cfg.Timeout), 10*time.Second)
}

// look returns what is known, after a check where the last one is too old, and
// in any case within Timeout.
func (m *monitor) look(ctx context.Context) state {
	limit := time.NewTimer(m.cfg.Timeout)
	defer limit.Stop()
	m.mu.Lock()
	if m.running == nil && m.now().Sub(m.state.checked) < m.cfg.TTL {
		defer m.mu.Unlock()
		return m.state
	}
	if m.running == nil {
		m.start()
	}
	a := m.running
	m.mu.Unlock()
	select {
	case <-a.done:
	case <-limit.C:
	case <-ctx.Done():
	}
	return m.known(a)
}

// known is the state, corrected by what a check that is late has to say.
func (m *monitor) known(a *attempt) state {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state
	if m.running != a {
		return s
	}
	s.late = true
	waiting := m.now().Sub(a.began).Round(time.Millisecond)
	if !a.ear.heard.Load() {
		s.err = not(NoAnswer, "a check that began %s ago has heard nothing", waiting)
		return s
	}
	s.err = not(TooSlow, "it speaks, but a check that began %s ago has no answer yet", waiting)
	if s.pulse != Speaks {
		s.pulse, s.since = Speaks, a.began
	}
	return s
}

// start starts a check; mu is held.
func (m *monitor) start() {
	a := &attempt{began: m.now(), ear: &ear{}, done: make(chan struct{})}
	m.running = a
	m.checks.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, m.patience())
		defer cancel()
		found, err := m.check(ctx, a.ear)
		if m.ctx.Err() != nil {
			err = not(NotAsked, "the adapter is ending")
		}
		m.end(a, found, err)
	})
}

// end takes in what a check has found.
func (m *monitor) end(a *attempt, found findings, err error) {
	m.mu.Lock()
	before := m.state
	now := m.now()
	m.state.err, m.state.found, m.state.checked, m.state.took = err, found, now, now.Sub(a.began)
	if found.version == "" {
		m.state.found.version = before.found.version // it is still the same, or we cannot know
	}
	pulse := Silent
	switch {
	case a.ear.heard.Load():
		pulse = Speaks
	case a.ear.refused.Load():
		pulse = Stopped
	case reason(err) == Misconfigured:
		pulse = before.pulse // it was not asked
	}
	if pulse != before.pulse {
		m.state.pulse, m.state.since = pulse, a.began
	}
	m.running = nil
	close(a.done)
	m.mu.Unlock()
	m.metrics.observe(reason(err), now.Sub(a.began))
	if reason(before.err) != reason(err) {
		m.tell(err)
	}
}

func (m *monitor) tell(err error) {
	if err == nil {
		m.log.Info("the database is ready")
		return
	}
	m.log.Warn("the database is not ready", "reason", reason(err), "error", err)
}

// reason is that of an error.
func reason(err error) Reason {
	var v *verdict
	switch {
	case err == nil:
		return OK
	case errors.As(err, &v):
		return v.reason
	}
	return Broken
}

// alive tells whether the database is alive, as of now: only silence that has
// lasted too long says that it is not.
func (m *monitor) alive(s state) bool {
	limit := m.limit(s.pulse)
	return limit == 0 || m.now().Sub(s.since) < limit
}

// limit is how long a pulse may last; 0: for ever.
func (m *monitor) limit(p Pulse) time.Duration {
	switch p {
	case Silent:
		return m.cfg.HangLimit
	case Stopped:
		return m.cfg.StopLimit
	}
	return 0
}
