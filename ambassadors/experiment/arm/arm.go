// Package arm is one way that a request can go: to production, to an experiment, to a shadow. An arm has a pool
// of replicas, repeats what may be repeated on another replica, and tells failures apart.
package arm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Options describe an arm.
type Options struct {
	Name      string
	Address   upstream.Address
	TLS       *tls.Config // nil: plain text
	Intervals upstream.Intervals
	Health    upstream.Health
	Limits    retry.Limits
	Connect   time.Duration // for a connection, TLS included
	Head      time.Duration // for the head of an answer, attempts that were repeated included
	Wait      time.Duration // that a request waits while no replica is usable; 0: not at all
	MaxConns  int           // per replica; further requests wait for one
	// Spare says that somebody else can answer: when all replicas that there are have been ejected, none is asked. Without, they
	// are, because nothing else is left.
	Spare   bool
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// An Arm sends requests. It is an http.RoundTripper whose errors are Failures. Run keeps it going.
type Arm struct {
	options Options
	scheme  string
	pool    *upstream.Pool
	budget  *retry.Budget
	base    *http.Transport
}

// New returns an arm whose replicas are looked for once it runs.
func New(o Options) (*Arm, error) {
	pool, err := upstream.New(upstream.Options{Name: o.Name, Address: o.Address, Intervals: o.Intervals, Health: o.Health, Log: o.Log, Metrics: o.Metrics})
	if err != nil {
		return nil, err
	}
	a := &Arm{options: o, scheme: "http", pool: pool, budget: o.Limits.Budget(), base: &http.Transport{
		DialContext:            (&net.Dialer{Timeout: o.Connect, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        o.TLS,
		TLSHandshakeTimeout:    o.Connect,
		MaxConnsPerHost:        o.MaxConns,
		MaxIdleConnsPerHost:    o.MaxConns,
		IdleConnTimeout:        60 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // what the client and the replica agree on is theirs
	}}
	if o.TLS != nil {
		a.scheme = "https"
	}
	return a, nil
}

// Run follows the replicas and their health until ctx ends. Requests in flight end undisturbed.
func (a *Arm) Run(ctx context.Context) error {
	defer a.base.CloseIdleConnections()
	return a.pool.Run(ctx)
}

// Await returns nil as soon as a replica is usable.
func (a *Arm) Await(ctx context.Context) error { return a.pool.Wait(ctx) }

// Replicas counts the replicas that a request of this moment may be sent to, and those that have been ejected.
func (a *Arm) Replicas() (usable, ejected int) {
	s := a.pool.Snapshot()
	if !s.Panic || !a.options.Spare {
		usable = s.Usable
	}
	for _, e := range s.Endpoints {
		if e.EjectedUntil != nil {
			ejected++
		}
	}
	return usable, ejected
}

// errEjected is for an arm that is not asked, although it might answer.
var errEjected = fmt.Errorf("%w: all were ejected", upstream.ErrNoUpstream)

// A Failure is why there is no answer.
type Failure struct {
	Outcome upstream.Outcome
	// Unsent tells that the request surely reached nobody.
	Unsent bool
	err    error
}

func (f *Failure) Error() string { return f.err.Error() }
func (f *Failure) Unwrap() error { return f.err }

// errSlow is the cause of a context that ended because the head of an answer did not come in time.
var errSlow = errors.New("no answer in time")

// RoundTrip sends the request to a replica, and to others while it may be repeated, the budget allows and
// there are any. Host is kept; the host of the URL is the replica's.
func (a *Arm) RoundTrip(r *http.Request) (*http.Response, error) {
	a.budget.Request()
	ctx, cancel := context.WithCancelCause(r.Context())
	late := time.AfterFunc(a.options.Head, func() { cancel(errSlow) })
	response, err := a.attempts(ctx, r)
	if !late.Stop() && err == nil { // it came and went at the same moment: its body cannot be read
		_ = response.Body.Close()
		err = &Failure{Outcome: upstream.Timeout, err: errSlow}
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	response.Request = r
	response.Body.(*body).cancel = func() { cancel(nil) }
	return response, nil
}

func (a *Arm) attempts(ctx context.Context, r *http.Request) (*http.Response, error) {
	var tried upstream.Tried
	endpoint, err := a.pick(ctx, &tried)
	if err != nil {
		return nil, &Failure{Outcome: upstream.ConnectError, Unsent: true, err: err}
	}
	for n := 1; ; n++ {
		response, err := a.attempt(ctx, r, endpoint, n)
		if n >= a.options.Limits.RetryAttempts || ctx.Err() != nil || !worth(response) || !Repeatable(r, err) {
			return response, err
		}
		next, none := a.pool.Pick("", &tried)
		if none != nil {
			return response, err
		}
		if !a.budget.Retry() {
			next.Release()
			return response, err
		}
		if response != nil {
			_ = response.Body.Close() // another replica answers instead
		}
		endpoint = next
	}
}

// worth tells whether another replica may do better: one that says it is broken cannot, one that is overloaded
// or has lost what is behind it may.
func worth(response *http.Response) bool {
	if response == nil {
		return true
	}
	switch response.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// Repeatable tells whether a request may be sent again after err, or after an answer where err is nil.
func Repeatable(r *http.Request, err error) bool {
	var f *Failure
	if !errors.As(err, &f) {
		return httpclient.Repeatable(r, false)
	}
	return f.Outcome != upstream.Canceled && httpclient.Repeatable(r, f.Unsent)
}

// pick waits for a replica where the arm has been told to.
func (a *Arm) pick(ctx context.Context, tried *upstream.Tried) (*upstream.Endpoint, error) {
	if _, overridden := a.pool.Usable(); overridden && a.options.Spare {
		return nil, errEjected
	}
	endpoint, err := a.pool.Pick("", tried)
	if err == nil || a.options.Wait <= 0 {
		return endpoint, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.options.Wait)
	defer cancel()
	if err := a.pool.Wait(ctx); err != nil {
		return nil, err
	}
	return a.pool.Pick("", tried)
}
