package httpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// A Transport makes calls as the package comment says. It is safe for
// concurrent use.
type Transport struct {
	options Options
	backoff retry.Backoff
	base    *http.Transport
	metrics *metrics
}

// CloseIdleConnections closes connections that are not in use.
func (t *Transport) CloseIdleConnections() { t.base.CloseIdleConnections() }

// RoundTrip makes a call. Its error is that of the last attempt; it is an
// upstream.ErrNoUpstream when the pool had no endpoint.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if t.options.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, t.options.Timeout)
	}
	response, err := t.call(ctx, r)
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &body{ReadCloser: response.Body, cancel: cancel, limit: t.options.MaxBody, left: t.options.MaxBody}
	return response, nil
}

// call makes attempts until one is good, or good enough to be the last.
func (t *Transport) call(ctx context.Context, r *http.Request) (*http.Response, error) {
	t.options.Budget.Request()
	var tried upstream.Tried
	for n := 0; ; n++ {
		endpoint, err := t.pick(ctx, r, &tried)
		if err != nil {
			closeBody(r)
			return nil, err
		}
		a := attempt{transport: t, number: n, caller: r.Context(), endpoint: endpoint}
		response, err := a.send(ctx, r)
		if err == nil && t.options.MaxBody > 0 && response.ContentLength > t.options.MaxBody {
			_ = response.Body.Close()
			return nil, tooLarge(t.options.MaxBody)
		}
		wait, again := t.again(ctx, r, &a, response)
		if !again {
			return response, err
		}
		if response != nil {
			_ = response.Body.Close()
		}
		if sleep := retry.Sleep(ctx, wait); sleep != nil {
			if err == nil {
				err = errors.New(response.Status)
			}
			return nil, fmt.Errorf("%w while waiting to retry: %w", sleep, err)
		}
	}
}

// pick chooses the endpoint of an attempt, or nil when there is no pool. When
// all were tried it begins again: a later attempt may find one recovered.
func (t *Transport) pick(ctx context.Context, r *http.Request, tried *upstream.Tried) (*upstream.Endpoint, error) {
	pool := t.options.Pool
	if pool == nil {
		return nil, nil
	}
	key := ""
	if t.options.Key != nil {
		key = t.options.Key(r)
	}
	e, err := pool.Pick(key, tried)
	if errors.Is(err, upstream.ErrAllTried) {
		tried.Reset()
		e, err = pool.Pick(key, tried)
	}
	if err == nil || t.options.WaitUpstream <= 0 {
		return e, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.options.WaitUpstream)
	defer cancel()
	if err := pool.Wait(ctx); err != nil {
		return nil, err
	}
	return pool.Pick(key, tried)
}

// again decides whether there is another attempt, and after which wait.
func (t *Transport) again(ctx context.Context, r *http.Request, a *attempt, response *http.Response) (time.Duration, bool) {
	if a.number+1 >= t.options.Retry.RetryAttempts || ctx.Err() != nil || !a.repeatable(r) {
		return 0, false
	}
	wait := t.backoff.Delay(a.number)
	if response != nil {
		asked, given := retry.ParseRetryAfter(response.Header.Get("Retry-After"), time.Now())
		switch response.StatusCode {
		case http.StatusTooManyRequests:
			if !given {
				return 0, false
			}
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			if t.options.Pool != nil {
				asked = 0 // that was one replica's word; the next attempt asks another
			}
		default:
			return 0, false
		}
		wait += asked
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return 0, false
	}
	return wait, t.options.Budget.Retry()
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}
