package arm

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// attempt sends the request to one replica. The nth attempt is counted from 1.
func (a *Arm) attempt(ctx context.Context, r *http.Request, endpoint *upstream.Endpoint, n int) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	out, err := a.prepare(ctx, r, endpoint, n)
	if err != nil {
		outcome := upstream.Canceled // the replica was not asked
		endpoint.Done(outcome, 0)
		if errors.Is(context.Cause(ctx), errSlow) {
			outcome = upstream.Timeout // by those before it
		}
		cancel()
		return nil, &Failure{Outcome: outcome, err: err}
	}
	began := time.Now()
	response, err := a.base.RoundTrip(out)
	took := time.Since(began)
	if err != nil {
		outcome := outcomeOf(ctx, r, err)
		endpoint.Done(outcome, took)
		cancel()
		return nil, &Failure{Outcome: outcome, Unsent: outcome == upstream.ConnectError, err: err}
	}
	response.Body = &body{ReadCloser: response.Body, endpoint: endpoint, caller: r.Context(), outcome: upstream.OfStatus(response.StatusCode), head: took, abort: cancel, cancel: func() {}}
	return response, nil
}

func (a *Arm) prepare(ctx context.Context, r *http.Request, endpoint *upstream.Endpoint, n int) (*http.Request, error) {
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host = a.scheme, endpoint.Addr()
	if n > 1 && r.GetBody != nil {
		again, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = again
	}
	if err := httpclient.SetTimeout(ctx, out.Header); err != nil {
		return nil, err
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(out.Header))
	return out, nil
}

// outcomeOf tells our impatience from the client's.
func outcomeOf(ctx context.Context, r *http.Request, err error) upstream.Outcome {
	switch {
	case r.Context().Err() != nil:
		return upstream.Canceled
	case errors.Is(context.Cause(ctx), errSlow):
		return upstream.Timeout
	}
	return upstream.OfError(err)
}

// body is an answer's body whose end is the end of the attempt.
type body struct {
	io.ReadCloser
	endpoint *upstream.Endpoint
	caller   context.Context
	outcome  upstream.Outcome
	head     time.Duration
	abort    func() // the attempt
	cancel   func() // the request
	ended    atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		outcome := upstream.Broken
		if b.caller.Err() != nil {
			outcome = upstream.Canceled
		}
		b.end(outcome)
	}
	return n, err
}

// Close ends the attempt, and leaves the connection usable if the rest of the body is small and quick.
func (b *body) Close() error {
	if !b.ended.Load() {
		httpclient.Drain(b.ReadCloser, b.abort)
	}
	err := b.ReadCloser.Close()
	b.end(b.outcome)
	b.abort()
	b.cancel()
	return err
}

func (b *body) end(outcome upstream.Outcome) {
	if !b.ended.Swap(true) {
		b.endpoint.Done(outcome, b.head)
	}
}
