package cache

import (
	"strings"
	"sync"

	"github.com/flotilla-dev/flotilla/services/cache/origin"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
	"github.com/flotilla-dev/flotilla/services/cache/spool"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// flight is one upstream request that may answer several clients.
//
// It lands when the head of the answer is there, in one of four ways: an object (whose body may still be
// arriving), an answer for the leader alone, an object that may be used although upstream failed, or an
// error.
type flight struct {
	key    string
	leader rfc9111.Header // the request that it is made for
	parts  string
	offers []string
	base   *store.Object // being validated; nil: nothing to validate
	shared bool          // others may wait for it

	mu      sync.Mutex // guards the rest until landed is closed
	waiters int
	doomed  bool // invalidated: what it brings may be sent to those who wait, but not stored
	landed  chan struct{}

	object   *store.Object
	live     *spool.Body      // the object's body while it arrives; nil: it is whole
	head     *spool.Reader    // the leader's place in live, until the leader takes it
	solo     *origin.Response // for the leader alone, until the leader takes it
	taken    bool             // the leader has taken head or solo, or is gone
	err      error
	status   int // of the upstream answer, for Cache-Status
	upstream string
	stored   bool // the object is meant to be stored
}

// flights are the flights under way, by key.
type flights struct {
	mu    sync.Mutex
	byKey map[string][]*flight
	count int
}

func (t *flights) init() { t.byKey = map[string][]*flight{} }

func (t *flights) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// join finds a flight that may answer the request, or begins one. full reports that it may, but too many
// wait already. Only with shared may others join it.
func (t *flights) join(x *exchange, base *store.Object, shared bool) (f *flight, leader, full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if shared {
		for _, f := range t.byKey[x.key] {
			if f.answers(x, base) {
				return f, false, !f.enter(x.s.MaxWaiters)
			}
		}
	}
	f = &flight{key: strings.Clone(x.key), leader: x.rq.Header.Clone(), parts: x.parts, offers: x.route.Accept, base: base,
		shared: shared, waiters: 1, landed: make(chan struct{})}
	t.byKey[f.key] = append(t.byKey[f.key], f)
	t.count++
	return f, true, false
}

// refresh begins a flight for a validation in the background, unless there is one.
func (t *flights) refresh(x *exchange, base *store.Object) (*flight, bool) {
	f, leader, full := t.join(x, base, true)
	if !leader {
		if !full {
			f.leave()
		}
		return nil, false
	}
	f.taken = true // nobody waits as a leader
	return f, true
}

// answers reports whether the request may wait for f. Before it lands, the Vary of its answer is unknown:
// the Vary of the object that is validated is the best guess, and no guess lets everybody wait. A wrong
// guess costs the wait, not correctness, since every waiter compares what landed.
func (f *flight) answers(x *exchange, base *store.Object) bool {
	if !f.shared || f.parts != x.parts || f.isDoomed() {
		return false
	}
	select {
	case <-f.landed:
		return f.object != nil && f.live != nil && f.err == nil && x.selector.Matches(f.object.Selecting) &&
			f.object.Meta.Judge(&x.directives, x.started) == rfc9111.Fresh
	default:
	}
	if f.base == nil || base == nil {
		return f.base == nil && base == nil && f.guess(x)
	}
	return f.base == base
}

// guess compares with the leader what the known variants of the resource vary on.
func (f *flight) guess(x *exchange) bool {
	r := x.s.Store.Get(x.key)
	if r == nil {
		return true
	}
	leader := rfc9111.Selector{Request: f.leader, Offers: f.offers}
	for _, o := range r.Variants {
		for i := range o.Selecting {
			if name := o.Selecting[i].Name; leader.Value(name) != x.selector.Value(name) {
				return false
			}
		}
	}
	return true
}

// enter counts a waiter, unless there are too many.
func (f *flight) enter(limit int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiters++
	if f.waiters > limit {
		f.waiters--
		return false
	}
	return true
}

// leave ends a wait.
func (f *flight) leave() {
	f.mu.Lock()
	f.waiters--
	f.mu.Unlock()
}

func (f *flight) isDoomed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.doomed
}

// land publishes what set fills in.
func (f *flight) land(set func()) {
	f.mu.Lock()
	set()
	f.mu.Unlock()
	close(f.landed)
}

// abandon is called by a leader who stops waiting: what was meant for it alone is given up.
func (f *flight) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = true
	f.giveUp()
}

// giveUp closes what nobody will take. Called with mu held.
func (f *flight) giveUp() {
	if f.head != nil {
		f.head.Close()
		f.head = nil
	}
	if f.solo != nil {
		f.solo.Body.Close()
		f.solo = nil
	}
}

// remove ends the flight for those who come later.
func (t *flights) remove(f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.byKey[f.key]
	for i, one := range list {
		if one == f {
			t.count--
			list = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(t.byKey, f.key)
		return
	}
	t.byKey[f.key] = list
}

// doom keeps what is under way for the key from being stored.
func (t *flights) doom(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.byKey[key] {
		f.mu.Lock()
		f.doomed = true
		f.mu.Unlock()
	}
}

// unlessDoomed runs put while no doom can come in between.
func (f *flight) unlessDoomed(put func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.doomed {
		return false
	}
	put()
	return true
}
