package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// Options are what a client needs. TLS nil means plain text.
type Options struct {
	Pool     *upstream.Pool
	Budget   *retry.Budget
	Attempts int
	TLS      *tls.Config
	// Header is how long a replica may take to begin its answer, Stall how long its body may pause.
	Connect, Header, Stall time.Duration
	// Wait is how long a request waits for a replica to become usable when none is.
	Wait time.Duration
	// MaxInFlight bounds the requests under way; one more fails with ErrBusy.
	MaxInFlight int
	Metrics     *Metrics
	// Tracing injects the context's span into requests.
	Tracing bool
}

// Client is safe for concurrent use.
type Client struct {
	options   Options
	transport *http.Transport
	slots     chan struct{}
}

// ErrBusy says that as many requests are under way as may be.
var ErrBusy = errors.New("too many requests under way to upstream")

// New makes a client. Close it when the last request has ended.
func New(o Options) *Client {
	dialer := &net.Dialer{Timeout: o.Connect, KeepAlive: 30 * time.Second}
	return &Client{
		options: o,
		slots:   make(chan struct{}, o.MaxInFlight),
		transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        o.TLS,
			TLSHandshakeTimeout:    o.Connect,
			ResponseHeaderTimeout:  o.Header,
			ExpectContinueTimeout:  time.Second,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    256,
			IdleConnTimeout:        50 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			ReadBufferSize:         16 << 10,
			TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1
		},
	}
}

// Close closes idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Request is one to send. Its strings and fields must not change until the response body is closed.
type Request struct {
	Method string
	Host   string
	// Target is path and query as they go on the wire.
	Target string
	Header rfc9111.Header
	// Body is the whole body, or Stream one of Length bytes (-1: unknown) that can be sent only once.
	Body   []byte
	Stream io.Reader
	Length int64
	// Session, if not empty, picks the replica by consistent hashing.
	Session string
}

// Response is the head of an answer, and its body. The body must be closed.
type Response struct {
	rfc9111.Response
	Body io.ReadCloser
	// Length of the body, -1 if not known.
	Length int64
	// Upstream is the name of the replica.
	Upstream string
}

// Do sends the request until it is answered by a status that is not worth a retry, or attempts, replicas
// or budget are used up.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	select {
	case c.slots <- struct{}{}:
	default:
		c.options.Metrics.failed("busy")
		return nil, ErrBusy
	}
	resp, err := c.attempts(ctx, r)
	if err != nil {
		<-c.slots
		return nil, err
	}
	resp.Body.(*responseBody).release = func() { <-c.slots }
	return resp, nil
}

func (c *Client) attempts(ctx context.Context, r *Request) (*Response, error) {
	c.options.Budget.Request()
	var tried upstream.Tried
	var last *Response
	var lastErr error
	for attempt := 1; ; attempt++ {
		e, err := c.pick(ctx, r.Session, &tried)
		if err != nil && lastErr != nil && last == nil && retry.Sleep(ctx, again) == nil {
			// Every usable replica broke off; by now another may be back.
			tried.Reset()
			e, err = c.pick(ctx, r.Session, &tried)
		}
		if err != nil {
			return c.lastWord(last, lastErr, err)
		}
		if last != nil {
			last.Body.Close()
		}
		var outcome upstream.Outcome
		last, outcome, lastErr = c.once(ctx, r, e)
		if !outcome.Failed() || !c.again(r, outcome, attempt) {
			return last, lastErr
		}
		c.options.Metrics.retried()
	}
}

// again is the pause before a replica is asked for the second time.
const again = 100 * time.Millisecond

// lastWord is the result when no replica is left: what the last one said, if anything, is better than ours.
func (c *Client) lastWord(last *Response, lastErr, pickErr error) (*Response, error) {
	switch {
	case last != nil:
		return last, nil
	case lastErr != nil:
		return nil, lastErr
	}
	c.options.Metrics.failed("unavailable")
	return nil, pickErr
}

// pick waits a moment when no replica is usable at all: a fleet that is restarting is back soon.
func (c *Client) pick(ctx context.Context, session string, tried *upstream.Tried) (*upstream.Endpoint, error) {
	e, err := c.options.Pool.Pick(session, tried)
	if err == nil || tried.Len() > 0 || !errors.Is(err, upstream.ErrNoUpstream) || c.options.Wait <= 0 {
		return e, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.Wait)
	defer cancel()
	if c.options.Pool.Wait(ctx) != nil {
		return nil, err
	}
	return c.options.Pool.Pick(session, tried)
}

// again decides about a retry. What never reached a replica may always be repeated; anything else only if
// the method is idempotent. A plain 500 is the application's answer and is not repeated.
func (c *Client) again(r *Request, o upstream.Outcome, attempts int) bool {
	if attempts >= c.options.Attempts || r.Stream != nil {
		return false
	}
	if o != upstream.ConnectError && !retry.Idempotent(r.Method) {
		return false
	}
	return c.options.Budget.Retry()
}

// once makes one attempt.
func (c *Client) once(ctx context.Context, r *Request, e *upstream.Endpoint) (*Response, upstream.Outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	out := c.build(ctx, r, e.Addr())
	sent := time.Now()
	in, err := c.transport.RoundTrip(out)
	received := time.Now()
	if err != nil {
		cancel(nil)
		outcome := outcomeOf(err)
		e.Done(outcome, received.Sub(sent))
		c.options.Metrics.failed(outcome.String())
		return nil, outcome, err
	}
	outcome := upstream.OfStatus(in.StatusCode)
	if in.StatusCode == http.StatusInternalServerError || in.StatusCode == http.StatusNotImplemented {
		outcome = upstream.OK
	}
	e.Report(outcome, received.Sub(sent))
	c.options.Metrics.answered(received.Sub(sent), outcome)
	body := &responseBody{ReadCloser: in.Body, cancel: cancel, endpoint: e, stall: c.options.Stall}
	return &Response{
		Response: rfc9111.Response{Status: in.StatusCode, Header: fields(in.Header), RequestTime: sent, ResponseTime: received},
		Body:     body,
		Length:   in.ContentLength,
		Upstream: e.Name(),
	}, outcome, nil
}

// outcomeOf is upstream.OfError, but a client that breaks off its request is not held against the replica.
func outcomeOf(err error) upstream.Outcome {
	var body *BodyError
	if errors.As(err, &body) {
		return upstream.Canceled
	}
	return upstream.OfError(err)
}

func (c *Client) build(ctx context.Context, r *Request, addr string) *http.Request {
	scheme := "http"
	if c.options.TLS != nil {
		scheme = "https"
	}
	out := (&http.Request{Method: r.Method, Host: r.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	out.URL = targetURL(scheme, addr, r.Target)
	out.Header = make(http.Header, len(r.Header)+2)
	for _, f := range r.Header {
		out.Header.Add(f.Name, f.Value)
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // none instead of net/http's own
	}
	if c.options.Tracing {
		otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(out.Header))
	}
	switch {
	case r.Stream != nil:
		out.Body, out.ContentLength = stream{r.Stream}, r.Length
	case len(r.Body) > 0:
		out.Body, out.ContentLength = io.NopCloser(strings.NewReader(string(r.Body))), int64(len(r.Body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(r.Body))), nil }
	}
	return out
}
