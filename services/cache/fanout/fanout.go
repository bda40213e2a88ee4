package fanout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// An Applier is a cache that can forget. Its methods are called by one goroutine at a time. What they mean holds
// for responses that are on their way too: one that was asked for before the call must not be stored after it.
type Applier interface {
	// Apply forgets what a command says, and tells how many stored responses went, as far as it knows.
	Apply(Command) (removed int, err error)
	// Flush forgets everything.
	Flush()
}

// Options configure a Fanout.
type Options struct {
	// Redis says where the stream is: address, credentials, TLS. The time-outs are our own. nil: commands apply
	// here only.
	Redis    *redis.Options
	Prefix   string // of the keys in Redis; empty is "flotilla:cache"
	Instance string // name of this replica, in the records
	MaxLen   int64  // of the stream, about; a replica that misses more flushes. 0 is 10000
	// Check validates what only the cache knows, such as the syntax of a ban. Its error is shown to who asked.
	Check   func(Command) error
	Applier Applier
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Fanout publishes commands and applies those of all replicas.
type Fanout struct {
	o       Options
	log     *slog.Logger
	metrics *metrics
	stream  *stream // nil: alone
	start   time.Time
	fresh   atomic.Int64 // until when this replica is current, as time since start

	mu       sync.Mutex // guards all below
	at       position
	recorded int64         // the last number seen in the state
	moved    chan struct{} // closed when at moves
	removed  [256]counted  // what the last commands removed here
}

type counted struct {
	seq int64
	n   int
}

// forever is what fresh is without Redis.
const forever = math.MaxInt64

// New returns a Fanout. With Redis, Run must be called; until it has reached it, Current is false.
func New(o Options) (*Fanout, error) {
	if o.Applier == nil {
		return nil, errors.New("invalidations: want an applier")
	}
	if o.MaxLen < 0 {
		return nil, fmt.Errorf("invalidations: stream of %d records", o.MaxLen)
	}
	if o.MaxLen == 0 {
		o.MaxLen = 10000
	}
	if o.Prefix == "" {
		o.Prefix = "flotilla:cache"
	}
	f := &Fanout{o: o, log: o.Log, start: time.Now(), moved: make(chan struct{})}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if o.Redis == nil {
		f.at = position{epoch: nonce(), nonce: nonce()}
		f.fresh.Store(forever)
	} else {
		f.stream = openStream(*o.Redis, o.Prefix, o.MaxLen)
	}
	f.metrics = newMetrics(o.Metrics, f)
	return f, nil
}

// Current tells whether this replica has applied all that was recorded until a moment ago. While it is false
// only validated answers may leave the cache. It is cheap enough to be asked for every hit.
func (f *Fanout) Current() bool {
	until := f.fresh.Load()
	return until == forever || int64(time.Since(f.start)) < until
}

// A Receipt tells what became of a command.
type Receipt struct {
	ID      string // epoch and number
	Applied bool   // here; false: it is recorded, and this replica is not current until it has applied it
	Removed int    // stored responses that went here, as far as the kind of command tells
}

// An Error says that a command has no receipt.
type Error struct {
	// Unknown: it may or may not have been recorded. To repeat it does no harm either way.
	Unknown bool
	Err     error
}

// Error is for logs.
func (e *Error) Error() string {
	if e.Unknown {
		return "record invalidation: outcome unknown: " + e.Err.Error()
	}
	return "record invalidation: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A Mistake says what is wrong with a command.
type Mistake struct{ Err error }

// Error lists every mistake.
func (m *Mistake) Error() string { return m.Err.Error() }

// Unwrap returns the mistakes.
func (m *Mistake) Unwrap() error { return m.Err }

// Publish records a command for all replicas and waits a moment until it is applied here. Its error is a
// *Mistake, or an *Error when it could not be recorded.
func (f *Fanout) Publish(ctx context.Context, c Command) (Receipt, error) {
	err := c.Validate()
	if err == nil && f.o.Check != nil {
		err = f.o.Check(c)
	}
	if err != nil {
		f.metrics.published.WithLabelValues("mistake").Inc()
		return Receipt{}, &Mistake{err}
	}
	if f.stream == nil {
		return f.applyAlone(c), nil
	}
	text, err := encode(c, f.o.Instance)
	if err != nil {
		return Receipt{}, &Mistake{err}
	}
	at, err := f.stream.add(ctx, text)
	if err != nil {
		outcome := &Error{Unknown: !notSent(err), Err: err}
		if outcome.Unknown {
			f.metrics.published.WithLabelValues("unknown").Inc()
		} else {
			f.metrics.published.WithLabelValues("refused").Inc()
		}
		return Receipt{}, outcome
	}
	f.metrics.published.WithLabelValues("recorded").Inc()
	return f.await(ctx, at), nil
}

// await waits until a record is applied here, at most for Window.
func (f *Fanout) await(ctx context.Context, at position) Receipt {
	r := Receipt{ID: id(at)}
	late := time.NewTimer(Window)
	defer late.Stop()
	for {
		f.mu.Lock()
		moved, here := f.moved, f.at
		if here.epoch == at.epoch && here.seq >= at.seq {
			if known := f.removed[at.seq%int64(len(f.removed))]; known.seq == at.seq {
				r.Removed = known.n
			}
			r.Applied = true
		}
		f.mu.Unlock()
		if r.Applied {
			return r
		}
		select {
		case <-moved:
		case <-late.C:
			return r
		case <-ctx.Done():
			return r
		}
	}
}

// applyAlone is Publish without Redis.
func (f *Fanout) applyAlone(c Command) Receipt {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.apply(c)
	f.at.seq++
	f.recorded = f.at.seq
	f.metrics.published.WithLabelValues("recorded").Inc()
	return Receipt{ID: id(f.at), Applied: true, Removed: n}
}

// apply carries a command out. One that the cache refuses is no reason to keep what it meant: all goes.
func (f *Fanout) apply(c Command) (removed int) {
	f.metrics.applied.WithLabelValues(c.kind()).Inc()
	removed, err := f.o.Applier.Apply(c)
	if err != nil {
		f.log.Error("invalidation refused by the cache", "kind", c.kind(), "error", err)
		f.flush("refused")
	}
	return removed
}

func (f *Fanout) flush(reason string) {
	f.log.Warn("cache flushed", "reason", reason)
	f.metrics.flushes.WithLabelValues(reason).Inc()
	f.o.Applier.Flush()
}

// Status is where a replica stands.
type Status struct {
	Current  bool   `json:"current"`
	Epoch    string `json:"epoch"`
	Applied  int64  `json:"applied"`
	Recorded int64  `json:"recorded"`
	Lag      int64  `json:"lag"`
}

// Status tells where this replica stands.
func (f *Fanout) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Status{Current: f.Current(), Epoch: f.at.epoch, Applied: f.at.seq, Recorded: f.recorded, Lag: max(0, f.recorded-f.at.seq)}
}
