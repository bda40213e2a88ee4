package upstream

import (
	"context"
	"time"
)

// A State is what is known of an endpoint's health. Ejection comes on top.
type State uint8

const (
	Unknown State = iota // not checked yet: gets no requests
	Up                   // its checks are good
	Down                 // its checks are bad: gets no requests
	Passive              // is not checked: gets requests
)

var states = [...]string{"unknown", "up", "down", "passive"}

func (s State) String() string { return states[s] }

// A Cause is what the last check of an endpoint found, where that was not good.
type Cause uint8

const (
	NoCause    Cause = iota // the last check was good, or there was none
	Unanswered              // it gives no answer that is HTTP: it is gone, unreachable or hangs
	NotReady                // it answers that it wants no requests: it starts or drains
	Failing                 // it gives another answer that is not good
)

var causes = [...]string{"", "unanswered", "not_ready", "failing"}

func (c Cause) String() string { return causes[c] }

// health is guarded by Pool.mu.
type health struct {
	state        State
	good, bad    int // checks in a row
	lastErr      string
	cause        Cause     // of lastErr
	ejectedUntil time.Time // zero: not ejected
	ejections    int       // in a row
	readmitted   time.Time // when the last one ended
	ejectedAll   uint64    // ejections ever
	changes      uint64
}

// fit tells that nothing but an ejection keeps requests away.
func (h *health) fit() bool { return h.state == Up || h.state == Passive }

// setState records and logs a change. p.mu is held.
func (p *Pool) setState(e *Endpoint, to State, reason string) {
	from := e.health.state
	e.health.state = to
	e.health.changes++
	if to == Up && from == Down {
		// It was away and is back: a new process owes nothing for the old one.
		e.health.ejectedUntil, e.health.ejections = time.Time{}, 0
		e.failures.Store(0)
	}
	p.log.Info("endpoint health changed", "endpoint", e.Name(), "addr", e.Addr(),
		"from", from.String(), "to", to.String(), "reason", reason)
	p.replaceView()
}

// eject takes an endpoint out for a while after failures in a row, unless too
// many are out already.
func (p *Pool) eject(e *Endpoint, last Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.left.Load() || !e.health.fit() || !e.health.ejectedUntil.IsZero() {
		return
	}
	ejected := 1
	for _, other := range p.members {
		if !other.health.ejectedUntil.IsZero() {
			ejected++
		}
	}
	config := p.options.Health
	if ejected > max(1, int(config.EjectShare*float64(len(p.members)))) {
		return
	}
	h := &e.health
	if time.Since(h.readmitted) > config.EjectMax {
		h.ejections = 0 // it was good for long
	}
	h.ejections++
	h.ejectedAll++
	h.changes++
	length := min(time.Duration(h.ejections)*config.EjectBase, config.EjectMax)
	h.ejectedUntil = time.Now().Add(length)
	p.log.Warn("endpoint ejected", "endpoint", e.Name(), "addr", e.Addr(),
		"failures", e.failures.Load(), "last", last.String(), "for", length.String())
	p.replaceView()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// readmit ends ejections in time. An endpoint comes back on probation: its
// count of failures stands, so that the next failure ejects it again, for
// longer; the first success clears it.
func (p *Pool) readmit(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if next, ok := p.readmitDue(time.Now()); ok {
			timer.Reset(time.Until(next))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// readmitDue ends the ejections that are over and returns when the next one is.
func (p *Pool) readmitDue(now time.Time) (next time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := false
	for _, e := range p.members {
		until := e.health.ejectedUntil
		switch {
		case until.IsZero():
		case !until.After(now):
			e.health.ejectedUntil, e.health.readmitted = time.Time{}, now
			e.health.changes++
			changed = true
			p.log.Info("endpoint readmitted", "endpoint", e.Name(), "addr", e.Addr())
		case !ok || until.Before(next):
			next, ok = until, true
		}
	}
	if changed {
		p.replaceView()
	}
	return next, ok
}
