package httpclient

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// An attempt is one request on the wire. It ends when the answer's body ends,
// and then reports to the pool, the metrics and the trace.
type attempt struct {
	transport *Transport
	number    int                // from 0
	caller    context.Context    // without the bounds of the transport
	endpoint  *upstream.Endpoint // nil without a pool
	cancel    context.CancelFunc
	span      trace.Span
	method    string
	status    int
	connected atomic.Bool // something may have been sent
	began     time.Time
	head      time.Duration    // until the head of the answer
	outcome   upstream.Outcome // by the head of the answer, or the lack of one
	ended     atomic.Bool
}

func (a *attempt) send(ctx context.Context, r *http.Request) (*http.Response, error) {
	a.began, a.method = time.Now(), knownMethod(r.Method)
	ctx, a.span = otel.Tracer("github.com/flotilla-dev/flotilla/internal/httpclient").
		Start(ctx, a.method, trace.WithSpanKind(trace.SpanKindClient))
	ctx, a.cancel = context.WithCancel(ctx)
	a.transport.metrics.active.Inc()
	out, err := a.prepare(ctx, r)
	if err != nil {
		closeBody(r)
		return nil, a.failed(err)
	}
	response, err := a.transport.base.RoundTrip(out)
	if err != nil {
		return nil, a.failed(err)
	}
	a.head, a.status, a.outcome = time.Since(a.began), response.StatusCode, upstream.OfStatus(response.StatusCode)
	response.Request = r
	response.Body = &reported{ReadCloser: response.Body, attempt: a}
	return response, nil
}

// prepare copies the request, which is the caller's, and adds what belongs to
// this attempt.
func (a *attempt) prepare(ctx context.Context, r *http.Request) (*http.Request, error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { a.connected.Store(true) },
	})
	out := r.Clone(ctx)
	if a.number > 0 && r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	if a.endpoint != nil {
		if out.Host == "" {
			out.Host = out.URL.Host
		}
		out.URL.Host = a.endpoint.Addr()
	}
	if err := SetTimeout(ctx, out.Header); err != nil {
		return nil, err
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(out.Header))
	if a.span.IsRecording() {
		a.span.SetAttributes(attribute.String("http.request.method", a.method), attribute.String("server.address", r.URL.Hostname()),
			attribute.String("url.full", r.URL.Redacted()), attribute.Int("http.request.resend_count", a.number))
	}
	return out, nil
}

// failed ends an attempt that got no answer.
func (a *attempt) failed(err error) error {
	a.outcome = a.outcomeOf(err)
	a.end(a.outcome)
	return err
}

func (a *attempt) outcomeOf(err error) upstream.Outcome {
	switch {
	case a.caller.Err() != nil:
		return upstream.Canceled // also by his deadline: how long he waits is his affair
	case !a.connected.Load():
		return upstream.ConnectError
	}
	return upstream.OfError(err)
}

// repeatable tells whether the request may be sent again.
func (a *attempt) repeatable(r *http.Request) bool {
	return a.outcome != upstream.Canceled && Repeatable(r, a.outcome == upstream.ConnectError)
}

// Repeatable tells whether a request may be sent again: its body must be there
// still, and the request is idempotent by its method, or has an Idempotency-Key,
// or surely was not sent.
func Repeatable(r *http.Request, unsent bool) bool {
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return false
	}
	return unsent || retry.Idempotent(r.Method) || r.Header.Get("Idempotency-Key") != ""
}

// end reports how the attempt went in the end, once.
func (a *attempt) end(outcome upstream.Outcome) {
	if a.ended.Swap(true) {
		return
	}
	a.cancel()
	if a.endpoint != nil {
		a.endpoint.Done(outcome, a.head)
	}
	a.transport.metrics.observe(a, outcome)
	if a.span.IsRecording() {
		if a.status != 0 {
			a.span.SetAttributes(attribute.Int("http.response.status_code", a.status))
		}
		if outcome.Failed() || a.status >= 400 {
			a.span.SetStatus(codes.Error, outcome.String())
		}
	}
	a.span.End()
}

// knownMethod bounds what becomes a label.
func knownMethod(method string) string {
	switch method {
	case "":
		return http.MethodGet
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "_OTHER"
}
