package contexts

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of what is looked up and of what is found.
const (
	MaxSession = 256
	MaxValue   = 256
)

// A Context is what is known of a session.
type Context struct {
	Value  string    // "": it has none
	Asked  time.Time // when the service was asked for it
	Origin Outcome   // how it came here
}

// An Outcome is how a look-up ended.
type Outcome int

// The outcomes: the service named a context, or said that there is none; another look-up was
// waited for; what it said before was young enough, or had to do; or nothing is known.
const (
	Found Outcome = iota
	None
	Joined
	Cached
	Stale
	Failed
	outcomes
)

var names = [outcomes]string{"found", "none", "joined", "cached", "stale", "failed"}

func (o Outcome) String() string { return names[o] }

// Options describe a Cache. All are needed but Now.
type Options struct {
	// Ask asks the service, "" for a session that has no context.
	Ask     func(ctx context.Context, session string) (string, error)
	Timeout time.Duration // of Ask
	Fresh   time.Duration // how long an answer serves
	Stale   time.Duration // and how long after that, while the service cannot be asked
	Entries int           // most sessions
	Now     func() time.Time
}

// A Cache looks contexts up and remembers them. Make it with New.
type Cache struct {
	Options
	counts [outcomes]atomic.Uint64

	mu      sync.Mutex // guards all below
	entries map[string]*entry
	recent  list.List // of *entry, the one used last in front
}

// An entry is a session, with what is known of it and the look-up under way.
type entry struct {
	session string
	place   *list.Element
	known   bool
	now     Context   // if known
	failed  time.Time // when the service could not be asked
	flight  *flight   // nil: none
}

// A flight is a look-up that others can wait for. What it found is set before done is closed.
type flight struct {
	began time.Time
	done  chan struct{}
	found Context
	err   error // of the service; found may be what it said before
}

// since is what a look-up found for somebody who takes nothing older.
func (f *flight) since(since time.Time) (Context, error) {
	if f.found.Asked.IsZero() || f.found.Asked.Before(since) {
		return Context{}, f.err
	}
	return f.found, nil
}

// New returns an empty cache.
func New(o Options) *Cache {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cache{Options: o, entries: map[string]*entry{}}
	c.recent.Init()
	return c
}

// failurePause is how long what is known of a session serves without a new question after one
// that failed: a service that hangs must not cost every request its time-out.
const failurePause = time.Second

// errPanicked is what waiters get when the one who asked did not come back.
var errPanicked = errors.New("the look-up broke off")

// Get returns the context of a session, as the service said it at since or later; the zero
// since takes what is there. The error tells why nothing is known.
func (c *Cache) Get(session []byte, since time.Time) (Context, error) {
	c.mu.Lock()
	now := c.Now()
	e := c.entry(session)
	if known, ok := e.serves(now, since, c.Fresh, c.Stale); ok {
		c.mu.Unlock()
		c.counts[known.Origin].Add(1)
		return known, nil
	}
	f := e.flight
	if f != nil && !f.began.Before(since) {
		c.mu.Unlock()
		<-f.done // as bounded as the look-up
		c.counts[Joined].Add(1)
		return f.since(since)
	}
	f = &flight{began: now, done: make(chan struct{}), err: errPanicked}
	e.flight = f
	c.mu.Unlock()
	defer close(f.done)
	c.fly(e, f)
	known, err := f.since(since)
	if err != nil {
		c.counts[Failed].Add(1)
		return Context{}, err
	}
	c.counts[known.Origin].Add(1)
	return known, nil
}

// serves tells whether what is known of a session does without asking.
func (e *entry) serves(now, since time.Time, fresh, stale time.Duration) (Context, bool) {
	if !e.known || e.now.Asked.Before(since) {
		return Context{}, false
	}
	known, age := e.now, now.Sub(e.now.Asked)
	switch {
	case age < fresh:
		known.Origin = Cached
	case age < fresh+stale && now.Sub(e.failed) < failurePause:
		known.Origin = Stale
	default:
		return Context{}, false
	}
	return known, true
}

// fly asks the service, and takes down what it said.
func (c *Cache) fly(e *entry, f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	value, err := c.Ask(ctx, e.session)
	c.mu.Lock()
	defer c.mu.Unlock()
	f.err = err
	if e.flight == f {
		e.flight = nil
	}
	if err == nil {
		f.found = Context{Value: value, Asked: f.began, Origin: Found}
		if value == "" {
			f.found.Origin = None
		}
		if !e.known || e.now.Asked.Before(f.began) { // else a later question was answered first
			e.known, e.now, e.failed = true, f.found, time.Time{}
		}
		return
	}
	now := c.Now()
	e.failed = now
	f.found, _ = e.serves(now, time.Time{}, c.Fresh, c.Stale)
	if !e.known && e.flight == nil {
		c.forget(e)
	}
}

// entry returns what is known of a session, and makes room for a new one. c.mu is held.
func (c *Cache) entry(session []byte) *entry {
	if e := c.entries[string(session)]; e != nil {
		c.recent.MoveToFront(e.place)
		return e
	}
	for len(c.entries) >= c.Entries {
		oldest, _ := c.recent.Back().Value.(*entry)
		c.forget(oldest)
	}
	e := &entry{session: string(session)}
	e.place = c.recent.PushFront(e)
	c.entries[e.session] = e
	return e
}

// forget drops an entry; who waits for its look-up has it still. c.mu is held.
func (c *Cache) forget(e *entry) {
	if c.entries[e.session] == e {
		delete(c.entries, e.session)
		c.recent.Remove(e.place)
	}
}

// Len is how many sessions are known.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

// Counts calls count with how many look-ups had each outcome.
func (c *Cache) Counts(count func(outcome string, n uint64)) {
	for o := range outcomes {
		count(o.String(), c.counts[o].Load())
	}
}
