package httpclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Options describe a client. Only Name is needed. In a duration or number 0
// means the default and a negative value no bound.
type Options struct {
	Name string // of the callee, in metrics

	Timeout       time.Duration // the whole call with retries and body; default 10s
	HeaderTimeout time.Duration // one attempt, from the request sent to the head of the answer; default 5s
	DialTimeout   time.Duration // one connection; default 1s
	TLSTimeout    time.Duration // one handshake; default 2s
	PingAfter     time.Duration // silence on a connection of HTTP/2 before the server is pinged, and then until the connection is given up; default 15s
	MaxBody       int64         // bytes of an answer's body; default 4 MiB
	MaxConns      int           // per host; default 256, further calls wait
	TLS           *tls.Config   // see package certs; nil means the system's roots

	Retry  retry.Settings // the zero value means retry.DefaultSettings; RetryAttempts 1 means no retries
	Budget *retry.Budget  // to share one; nil means one of its own, by Retry

	// Pool chooses the endpoint of each attempt. Nil means the host of the URL.
	Pool *upstream.Pool
	// Key returns what a request is routed by (see upstream.Pool.Pick). Nil, or
	// "", means the pool's policy.
	Key func(*http.Request) string
	// WaitUpstream is how long a call waits while the pool has no usable
	// endpoint; 0 means it fails at once.
	WaitUpstream time.Duration

	Metrics prometheus.Registerer // nil means none
}

func (o Options) withDefaults() Options {
	fill(&o.Timeout, 10*time.Second)
	fill(&o.HeaderTimeout, 5*time.Second)
	fill(&o.DialTimeout, time.Second)
	fill(&o.TLSTimeout, 2*time.Second)
	fill(&o.PingAfter, 15*time.Second)
	fill(&o.MaxBody, 4<<20)
	fill(&o.MaxConns, 256)
	if o.Retry == (retry.Settings{}) {
		o.Retry = retry.DefaultSettings()
	}
	if o.Budget == nil {
		o.Budget = o.Retry.Budget()
	}
	return o
}

// fill replaces 0 by the default and a negative value by 0, which the standard
// library takes for no bound.
func fill[T time.Duration | int64 | int](value *T, fallback T) {
	switch {
	case *value == 0:
		*value = fallback
	case *value < 0:
		*value = 0
	}
}

// New returns a client.
func New(o Options) (*http.Client, error) {
	t, err := NewTransport(o)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// NewTransport returns the round tripper at the heart of New, for those who
// build their own http.Client.
func NewTransport(o Options) (*Transport, error) {
	if o.Name == "" {
		return nil, errors.New("http client: no name")
	}
	if o.Retry.RetryAttempts < 0 {
		return nil, fmt.Errorf("http client %s: RETRY_ATTEMPTS %d is negative", o.Name, o.Retry.RetryAttempts)
	}
	o = o.withDefaults()
	t := &Transport{
		options: o,
		backoff: o.Retry.Backoff(),
		base: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: o.DialTimeout, KeepAlive: 15 * time.Second}).DialContext,
			TLSClientConfig:        o.TLS.Clone(),
			TLSHandshakeTimeout:    o.TLSTimeout,
			ResponseHeaderTimeout:  o.HeaderTimeout,
			MaxConnsPerHost:        o.MaxConns,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
			// Otherwise a connection whose server is gone without a word, as after a partition, is used again for every
			// call until the kernel gives it up, a quarter of an hour later.
			HTTP2: &http.HTTP2Config{SendPingTimeout: o.PingAfter, PingTimeout: o.PingAfter},
		},
	}
	var err error
	if t.metrics, err = newMetrics(o.Name, o.Budget, o.Metrics); err != nil {
		return nil, fmt.Errorf("http client %s: register metrics: %w", o.Name, err)
	}
	return t, nil
}
