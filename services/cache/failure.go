package cache

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/cache/origin"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// sendError answers after an upstream failure: with the stored object if that may be, else with upstream's
// own error answer (resp, for a leader), else with one of ours. It owns resp.
func (x *exchange) sendError(o *store.Object, err error, resp *origin.Response) {
	now := time.Now()
	if o != nil && o.Meta.MayReplaceError(&x.directives, now) && !x.s.inDoubt() {
		if resp != nil {
			resp.Body.Close()
		}
		x.outcome = outcomeStale
		x.cs.HasTTL, x.cs.TTL, x.cs.Detail = true, o.Meta.TTL(now), "stale-if-error"
		x.sendObject(o, now)
		return
	}
	if resp != nil {
		x.stream(resp)
		return
	}
	if o != nil && o.Meta.MustReport504() {
		x.fail(problem.New(http.StatusGatewayTimeout, "upstream-unreachable", "the stored response may not be used without asking upstream, which cannot be reached"))
		return
	}
	x.fail(problemOf(err))
}

// problemOf maps the closed set of upstream failures to what a client is told.
func problemOf(err error) *problem.Problem {
	var status statusError
	switch {
	case errors.Is(err, upstream.ErrNoUpstream):
		return problem.New(http.StatusServiceUnavailable, "upstream-unavailable", "no replica of the service can be used now").Retry(time.Second)
	case errors.Is(err, origin.ErrBusy), errors.Is(err, errTooManyWaiters):
		return problem.New(http.StatusServiceUnavailable, "overloaded", "too many requests wait for the service").Retry(time.Second)
	case errors.Is(err, errWaitTimeout), isTimeout(err):
		return problem.New(http.StatusGatewayTimeout, "upstream-timeout", "the service did not answer in time")
	case errors.As(err, &status):
		return problem.New(http.StatusBadGateway, "upstream-failed", "the service failed to answer").Retry(time.Second)
	}
	return problem.New(http.StatusBadGateway, "upstream-broken", "the service could not be reached or broke off its answer")
}

func isTimeout(err error) bool {
	var slow interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &slow) && slow.Timeout() || strings.Contains(err.Error(), "timeout awaiting response headers")
}
