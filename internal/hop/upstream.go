package hop

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Options describe an upstream. Name and Address are needed.
type Options struct {
	Name      string
	Address   upstream.Address
	Policy    upstream.Policy
	Intervals upstream.Intervals
	Health    upstream.Health
	Retry     retry.Limits // the zero value: no retry

	// TLS gives the settings that demand a certificate for a name; nil: plain text.
	TLS        func(serverName string) *tls.Config
	ServerName string // "": the host of a replica's address

	Connect     time.Duration // for connecting and the TLS handshake
	KeepAlive   time.Duration // how long an unused connection is kept
	Idle        time.Duration // between two pieces of an answer, and for writing one piece
	MaxIdle     int           // unused connections kept per replica
	MaxInFlight int           // requests per replica; more are refused
	HeadLimit   int           // bytes of an answer's head

	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// An Upstream is a service behind the gateway. Make it with New and let it Run.
type Upstream struct {
	options Options
	pool    *upstream.Pool
	budget  *retry.Budget

	mu       sync.Mutex // guards replicas
	replicas map[*replica]struct{}
}

// New returns an upstream; see upstream.New for when its replicas are there.
func New(o Options) (*Upstream, error) {
	u := &Upstream{options: o, budget: o.Retry.Budget(), replicas: map[*replica]struct{}{}}
	pool, err := upstream.New(upstream.Options{
		Name: o.Name, Address: o.Address, Intervals: o.Intervals, Health: o.Health, Policy: o.Policy,
		Open: u.open, Close: u.close, Log: o.Log, Metrics: o.Metrics,
	})
	if err != nil {
		return nil, err
	}
	u.pool = pool
	return u, nil
}

// Name is the name of the upstream.
func (u *Upstream) Name() string { return u.options.Name }

// Retries returns how many retries the budget allowed and refused so far.
func (u *Upstream) Retries() (allowed, refused uint64) { return u.budget.Counts() }

// Wait returns nil when a replica is usable, or the reason when ctx ends first.
func (u *Upstream) Wait(ctx context.Context) error { return u.pool.Wait(ctx) }

// Usable returns how many replicas can be used; see upstream.Pool.Usable.
func (u *Upstream) Usable() (n int, overridden bool) { return u.pool.Usable() }

// Snapshot returns the state of the replicas, for people.
func (u *Upstream) Snapshot() upstream.Snapshot { return u.pool.Snapshot() }

// Run checks replicas and closes unused connections until ctx is done.
// Exchanges must have ended before.
func (u *Upstream) Run(ctx context.Context) error {
	var reaper sync.WaitGroup
	reaper.Go(func() { u.reap(ctx) })
	err := u.pool.Run(ctx)
	reaper.Wait()
	return err
}

func (u *Upstream) open(e *upstream.Endpoint) any {
	r := &replica{addr: e.Addr(), options: &u.options}
	if u.options.TLS != nil {
		name := u.options.ServerName
		if name == "" {
			name, _, _ = net.SplitHostPort(e.Addr()) // the pool has checked it
		}
		r.tls = u.options.TLS(name)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.replicas[r] = struct{}{}
	return r
}

func (u *Upstream) close(e *upstream.Endpoint) {
	r, ok := e.Attachment().(*replica)
	if !ok {
		return
	}
	u.mu.Lock()
	delete(u.replicas, r)
	u.mu.Unlock()
	r.shut()
}

// reap closes connections that nobody used for a while.
func (u *Upstream) reap(ctx context.Context) {
	tick := time.NewTicker(max(u.options.KeepAlive/4, 100*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			u.mu.Lock()
			for r := range u.replicas {
				r.expire(now.Add(-u.options.KeepAlive))
			}
			u.mu.Unlock()
		}
	}
}

// Errors of Do, beside *Failure and *BodyError.
var (
	// ErrUnavailable: no replica is usable.
	ErrUnavailable = errors.New("no usable replica")
	// ErrSaturated: every replica that was asked has its bound of requests.
	ErrSaturated = errors.New("every replica is at its bound of requests")
)

// A Failure is an exchange that got no answer.
type Failure struct {
	Outcome upstream.Outcome
	Err     error
	sent    bool // the replica may have seen a part of the request
}

func (f *Failure) Error() string { return f.Outcome.String() + ": " + f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// A BodyError is what went wrong with the request's body on the client's side.
type BodyError struct{ Err error }

func (b *BodyError) Error() string { return "read request body: " + b.Err.Error() }
func (b *BodyError) Unwrap() error { return b.Err }

// Do sends the request of x to a replica and reads the head of the answer.
// After success the caller must call x.Finish or x.Hijack; after an error
// neither.
func (u *Upstream) Do(x *Exchange) error {
	u.budget.Request()
	x.begin()
	var last error
	for attempt := 1; ; attempt++ {
		e, err := u.pool.Pick("", &x.tried)
		if err != nil {
			if last != nil {
				return last
			}
			return ErrUnavailable
		}
		last = u.once(x, e)
		if last == nil {
			return nil
		}
		if attempt >= u.options.Retry.RetryAttempts || !x.again(last) || !u.budget.Retry() {
			return last
		}
		x.Retries++
	}
}

// Elsewhere tells whether the request of x, for which Do returned err, may be sent
// to another upstream: nothing of it was sent, or it may be sent twice and its
// time is not over.
func (x *Exchange) Elsewhere(err error) bool { return err == ErrUnavailable || x.again(err) }

// Unsent tells that nothing of the request for which Do returned err was sent to
// any replica that is there.
func Unsent(err error) bool {
	var failure *Failure
	return err == ErrUnavailable || errors.As(err, &failure) && !failure.sent && failure.Outcome == upstream.ConnectError
}

// silent tells that a replica is down because it does not answer its checks any
// more. One that answers that it is not ready is most likely draining, and does
// answer the requests that it has.
func silent(e *upstream.Endpoint) bool {
	state, cause := e.Health()
	return state == upstream.Down && cause == upstream.Unanswered
}

// once makes one attempt and reports a failed one to the pool.
func (u *Upstream) once(x *Exchange, e *upstream.Endpoint) error {
	if limit := u.options.MaxInFlight; limit > 0 && e.InFlight() > int64(limit) {
		e.Release()
		return ErrSaturated
	}
	r, _ := e.Attachment().(*replica)
	x.endpoint = e
	err := x.attempt(r)
	if err == nil {
		return nil
	}
	x.endpoint = nil
	outcome := upstream.Canceled // what is the client's fault says nothing of the replica
	var failure *Failure
	if errors.As(err, &failure) {
		outcome = failure.Outcome
	}
	e.Done(outcome, 0)
	return err
}
