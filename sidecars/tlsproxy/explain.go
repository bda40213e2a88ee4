package tlsproxy

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// retryAfter is what clients are asked to wait: a restart seldom takes longer.
const retryAfter = time.Second

// explain turns the outcome of a request into what the client is told, or nil
// when the client is not there any more. This is the one place where that is
// decided.
func explain(r *http.Request, err error) *problem.Problem {
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return tooLarge()
	}
	if isLate(r) {
		return problem.New(http.StatusRequestTimeout, "too-slow", "the body arrives too slowly")
	}
	if r.Context().Err() != nil {
		return nil
	}
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return problem.New(http.StatusBadGateway, "upstream-unreachable", "the application behind this sidecar accepts no connections; it may be about to start").Retry(retryAfter)
	}
	var late interface{ Timeout() bool }
	if errors.As(err, &late) && late.Timeout() {
		return problem.New(http.StatusGatewayTimeout, "upstream-timeout", "the application did not answer in time").Retry(retryAfter)
	}
	return problem.New(http.StatusBadGateway, "upstream-failed", "the application broke off or gave no valid answer").Retry(retryAfter)
}
