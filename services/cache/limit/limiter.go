package limit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// DefaultTracked is how many identities × classes a replica remembers: about 20 MB.
const DefaultTracked = 65536

// Options configure a Limiter.
type Options struct {
	Limits   Limits
	Store    Store  // nil: no store, each replica allows rate ÷ Replicas
	Instance string // name of this replica, to be found in the store
	// Replicas is the number assumed without a store, and the least that is assumed with one, which tells how
	// many there are: a fleet that starts is soon that large. 0 is 1.
	Replicas int
	// Tracked bounds the identities × classes that are remembered; 0 is DefaultTracked.
	Tracked int
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Limiter decides which requests are allowed. Its methods may be called concurrently.
type Limiter struct {
	store    Store
	instance string // with something random: two replicas that were named alike count as two
	log      *slog.Logger
	metrics  *metrics
	limited  limitedLog

	start  time.Time // all times are since then: a step of the wall clock changes nothing
	seed   maphash.Seed
	shards [shards]shard
	agenda agenda

	table    atomic.Pointer[table]
	atLeast  int64 // replicas
	replicas atomic.Int64
	away     atomic.Bool  // the store did not answer
	lostAt   atomic.Int64 // when that was seen last, as a time.Duration
	back     atomic.Int64 // when it answered again

	mu  sync.Mutex // guards ids
	ids map[string]uint32
}

// New returns a limiter. It decides at once; with a store, Run must be called too.
func New(o Options) (*Limiter, error) {
	if wrong := o.Limits.Validate("limits"); len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	if o.Tracked == 0 {
		o.Tracked = DefaultTracked
	}
	if o.Tracked < shards || o.Replicas < 0 {
		return nil, fmt.Errorf("limits: want at least %d tracked identities and no negative number of replicas", shards)
	}
	l := &Limiter{store: o.Store, instance: o.Instance + "/" + rand.Text()[:8], log: o.Log, start: time.Now(), seed: maphash.MakeSeed(), ids: map[string]uint32{}}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	for i := range l.shards {
		l.shards[i].entries = map[key]*entry{}
		l.shards[i].bound = o.Tracked / shards
	}
	l.atLeast = int64(max(1, o.Replicas))
	l.replicas.Store(l.atLeast)
	l.agenda.wake = make(chan struct{}, 1)
	l.away.Store(o.Store == nil)
	l.metrics = newMetrics(o.Metrics, l)
	if err := l.Update(o.Limits); err != nil {
		return nil, err
	}
	return l, nil
}

// Update replaces the policy. What identities have used so far still counts. After an error the old policy
// stays.
func (l *Limiter) Update(limits Limits) error {
	if wrong := limits.Validate("limits"); len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	t := compile(limits, l.id, l.metrics)
	l.table.Store(&t)
	return nil
}

// id numbers class names; a name keeps its number.
func (l *Limiter) id(name string) uint32 {
	n, known := l.ids[name]
	if !known {
		n = uint32(len(l.ids))
		l.ids[name] = n
	}
	return n
}

// Decide counts a request of an identity for a path, and tells whether it is allowed. It never waits for the
// store.
func (l *Limiter) Decide(who Identity, path string) Decision {
	class := l.table.Load().find(path)
	if class == nil || class.quotas[who.kind] == nil {
		return Decision{Allowed: true, Kind: who.kind}
	}
	q := class.quotas[who.kind]
	k := key{hi: who.hi, lo: who.lo, class: q.id, kind: who.kind}
	now, n := l.now(), float64(l.replicas.Load())
	s := l.shard(k)
	s.mu.Lock()
	e := s.find(k)
	if e == nil {
		if e = l.admit(s, k, who, q, now, n); e == nil {
			s.mu.Unlock()
			return l.overflow(class, now, n)
		}
	}
	return l.decide(s, e, q, now, n)
}

// decide takes a token of e. It unlocks the shard.
func (l *Limiter) decide(s *shard, e *entry, q *quota, now time.Duration, n float64) Decision {
	e.quota = q // a new policy holds at once
	ok := e.take(now, n)
	if l.store != nil {
		if due := e.due(now, n); due < e.armedAt {
			e.armedAt = due
			l.agenda.add(e, due)
		}
	}
	d := e.decision(ok, now, n, l.away.Load())
	var report bool
	var refused int64
	if !ok {
		refused, report = l.limited.count(e, now)
	}
	who := e.who
	s.mu.Unlock()
	if ok {
		q.allowed.Inc()
		return d
	}
	q.limited.Inc()
	if report {
		l.log.LogAttrs(context.Background(), slog.LevelWarn, "client limited", slog.String("class", q.class), slog.String("kind", q.kind.String()),
			slog.String("client", who.String()), slog.Int64("refused", refused), slog.Int64("unreported_clients", l.limited.skipped.Swap(0)))
	}
	return d
}

// admit makes an entry for an identity that is not known, or returns nil when there is no room.
func (l *Limiter) admit(s *shard, k key, who Identity, q *quota, now time.Duration, n float64) *entry {
	e, evicted := s.room(now)
	if e == nil {
		return nil
	}
	if evicted {
		l.metrics.evicted.Inc()
	}
	e.reset(k, who, q, now, n)
	s.add(e)
	return e
}

// overflow counts a request for those that could not be tracked.
func (l *Limiter) overflow(class *compiledClass, now time.Duration, n float64) Decision {
	l.metrics.overflow.Inc()
	q := class.quotas[Overflow]
	k := key{class: q.id, kind: Overflow}
	s := l.shard(k)
	s.mu.Lock()
	e := s.find(k)
	if e == nil {
		e = new(entry)
		e.reset(k, Identity{kind: Overflow}, q, now, n)
		e.pinned = true
		s.add(e)
	}
	return l.decide(s, e, q, now, n)
}

func (l *Limiter) now() time.Duration { return time.Since(l.start) }

func (l *Limiter) shard(k key) *shard {
	return &l.shards[maphash.Comparable(l.seed, k)%shards]
}

// tracked is the number of entries.
func (l *Limiter) tracked() int {
	sum := 0
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		sum += len(s.entries)
		s.mu.Unlock()
	}
	return sum
}
