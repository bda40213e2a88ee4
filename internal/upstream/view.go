package upstream

import (
	"fmt"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/ring"
)

// A view is what Pick sees of the pool at one moment. It never changes; each
// change of membership or health puts a new one in its place.
type view struct {
	members  []*Endpoint // index as on the ring
	isUsable []bool      // of members
	usable   []*Endpoint
	spare    []*Endpoint // that nothing but an ejection keeps out
	ring     *ring.Ring
	panic    bool          // ejections are ignored, because nothing else is left
	changed  chan struct{} // closed when the view is replaced

	// Errors are made beforehand: an outage is no time for allocating.
	err         error
	errFallback error
}

// unavailable is an ErrNoUpstream that tells the state of the endpoints.
type unavailable struct{ text string }

func (u *unavailable) Error() string        { return u.text }
func (u *unavailable) Is(target error) bool { return target == ErrNoUpstream }

// replaceView computes the view of the present state. p.mu is held.
func (p *Pool) replaceView() {
	v := &view{
		members:  p.members,
		isUsable: make([]bool, len(p.members)),
		ring:     p.ring,
		changed:  make(chan struct{}),
	}
	fit := 0
	for i, e := range p.members {
		if e.health.fit() {
			fit++
			v.isUsable[i] = e.health.ejectedUntil.IsZero()
		}
		switch {
		case v.isUsable[i]:
			v.usable = append(v.usable, e)
		case e.health.fit():
			v.spare = append(v.spare, e)
		}
	}
	if fit > 0 && len(v.usable) == 0 {
		v.panic, v.spare = true, nil
		for i, e := range p.members {
			if v.isUsable[i] = e.health.fit(); v.isUsable[i] {
				v.usable = append(v.usable, e)
			}
		}
	}
	v.err = &unavailable{p.describe()}
	v.errFallback = &unavailable{fmt.Sprintf("upstream %s: no usable endpoint among the first %d for the key",
		p.options.Name, max(p.options.Fallback, 0)+1)}
	old := p.view.Swap(v)
	if old == nil {
		return
	}
	close(old.changed)
	switch was, is := len(old.usable), len(v.usable); {
	case p.stopped: // its end was wanted
	case was > 0 && is == 0:
		p.log.Error("upstream unavailable", "reason", v.err.Error())
	case was == 0 && is > 0:
		p.log.Info("upstream available", "usable", is)
	case v.panic && !old.panic:
		p.log.Warn("all endpoints ejected, using them all")
	}
}

// describe says what is wrong when nothing is usable, as "upstream dictionary:
// no usable endpoint: 2 down, 1 unknown". p.mu is held.
func (p *Pool) describe() string {
	prefix := "upstream " + p.options.Name + ": no usable endpoint: "
	switch {
	case p.stopped:
		return prefix + "the pool is stopped"
	case len(p.members) == 0 && p.sourceErr != nil:
		return prefix + p.sourceErr.Error()
	case len(p.members) == 0:
		return prefix + "none known"
	}
	count := map[string]int{}
	for _, e := range p.members {
		count[e.health.state.String()]++
	}
	var parts []string
	for _, s := range states {
		if n := count[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return prefix + strings.Join(parts, ", ")
}
