package upstream

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// ErrNoUpstream is what every error of Pick and Wait is: no endpoint can be
// used now. Which ones there are and what is wrong with them is in the text.
var ErrNoUpstream = errors.New("no usable upstream endpoint")

// ErrAllTried is the ErrNoUpstream of a caller who has tried all that can be
// used. He may give up, or Reset his Tried, wait and begin again.
var ErrAllTried error = allTried{}

type allTried struct{}

func (allTried) Error() string        { return "every usable upstream endpoint was tried" }
func (allTried) Is(target error) bool { return target == ErrNoUpstream }

// MaxTried is how many endpoints a Tried remembers: nobody may try more.
const MaxTried = retry.MostAttempts

// Tried remembers the endpoints that one request has been sent to. The zero
// value is ready; it belongs to one goroutine.
type Tried struct {
	n    int
	them [MaxTried]*Endpoint
}

// Reset forgets them.
func (t *Tried) Reset() { *t = Tried{} }

// Len returns how many attempts were made.
func (t *Tried) Len() int { return t.n }

func (t *Tried) has(e *Endpoint) bool {
	if t != nil {
		for _, one := range t.them[:t.n] {
			if one == e {
				return true
			}
		}
	}
	return false
}

func (t *Tried) add(e *Endpoint) {
	if t != nil {
		t.them[t.n] = e
		t.n++
	}
}

// Pick lends a usable endpoint that is not in tried, and adds it there. tried
// may be nil.
//
// A key chooses by affinity: the endpoint that owns it on the ring, or the next
// ones (see Options.Fallback) while the owner is out or tried. Without a key
// the policy chooses. Pick takes no lock and does not allocate.
//
// When no endpoint is usable, or all were tried, Pick says so at once by an
// error that is ErrNoUpstream; see Wait.
func (p *Pool) Pick(key string, tried *Tried) (*Endpoint, error) {
	if tried != nil && tried.n == MaxTried {
		return nil, ErrAllTried
	}
	for {
		v := p.view.Load()
		e, err := p.choose(v, key, tried)
		if err != nil {
			if err != ErrAllTried {
				p.refused.Add(1)
			}
			return nil, err
		}
		if e.acquire() {
			tried.add(e)
			return e, nil
		} // else it left after v was loaded: there is a newer view
	}
}

// Spare lends an endpoint that nothing but an ejection keeps out, and that is not
// in tried: for a request that has failed where Pick sent it, and would be lost
// otherwise. What was bad a moment ago is better than nothing; the share that may
// be ejected can keep one in use that is gone, while the good one is out.
func (p *Pool) Spare(tried *Tried) (*Endpoint, error) {
	if tried.n == MaxTried {
		return nil, ErrAllTried
	}
	for _, e := range p.view.Load().spare {
		if !tried.has(e) && e.acquire() {
			tried.add(e)
			return e, nil
		}
	}
	return nil, ErrAllTried
}

func (p *Pool) choose(v *view, key string, tried *Tried) (e *Endpoint, err error) {
	switch {
	case len(v.usable) == 0:
		return nil, v.err
	case key != "":
		e = v.byKey(key, p.options.Fallback, tried)
	case p.options.Policy == RoundRobin:
		e = v.untried(int(p.turn.Add(1)%uint64(len(v.usable))), nil, tried)
	case p.options.Policy == Fastest:
		e = v.fastest(tried, time.Now().UnixNano())
	default:
		e = v.lessLoaded(tried)
	}
	if e != nil {
		return e, nil
	}
	if tried == nil || tried.n == 0 {
		return nil, v.errFallback
	}
	return nil, ErrAllTried
}

// byKey walks the ring from the key's owner.
func (v *view) byKey(key string, fallback int, tried *Tried) *Endpoint {
	walk := v.ring.From(key)
	for met := 0; fallback == 0 || met <= max(fallback, 0); met++ {
		i, ok := walk.Next()
		if !ok {
			return nil
		}
		if e := v.members[i]; v.isUsable[i] && !tried.has(e) {
			return e
		}
	}
	return nil
}

// lessLoaded draws two different endpoints and takes the less loaded.
func (v *view) lessLoaded(tried *Tried) *Endpoint {
	n := len(v.usable)
	one := v.untried(rand.IntN(n), nil, tried)
	if n == 1 || one == nil {
		return one
	}
	other := v.untried(rand.IntN(n), one, tried)
	if other != nil && other.inFlight.Load() < one.inFlight.Load() {
		return other
	}
	return one
}

// alike is how much slower than the fastest endpoint one may be that is taken for as
// good, of the policy Fastest.
const alike = 2

// fastest looks at all, beginning anywhere: first for the fewest requests in flight
// and the lowest latency among those that have so many, then for one of these. An
// endpoint whose latency is not known, or not any more, counts as the fastest: so a
// slow one is asked now and then whether it still is, once at a time.
func (v *view) fastest(tried *Tried, now int64) *Endpoint {
	var first *Endpoint
	var fewest, lowest int64
	start := rand.IntN(len(v.usable))
	for i := range v.usable {
		e := v.usable[(start+i)%len(v.usable)]
		if tried.has(e) {
			continue
		}
		inFlight, latency := e.inFlight.Load(), e.known(now)
		if first == nil || inFlight < fewest || inFlight == fewest && latency < lowest {
			first, fewest, lowest = e, inFlight, latency
		}
	}
	for i := range v.usable {
		e := v.usable[(start+i)%len(v.usable)]
		if !tried.has(e) && e.inFlight.Load() <= fewest && e.known(now) <= alike*lowest {
			return e
		}
	}
	return first
}

// untried returns the first endpoint from index i on that is neither tried nor
// the given one.
func (v *view) untried(i int, not *Endpoint, tried *Tried) *Endpoint {
	for range v.usable {
		if e := v.usable[i]; e != not && !tried.has(e) {
			return e
		}
		if i++; i == len(v.usable) {
			i = 0
		}
	}
	return nil
}
