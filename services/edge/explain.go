package edge

import (
	"errors"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/hop"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// retryAfter is what clients are asked to wait after a 502, 503 or 504: most
// are over as soon as the next check finds a replica.
const retryAfter = time.Second

// explain turns the outcome of an exchange into what the client is told, or nil
// when the client is not there any more. This is the one place where that is
// decided.
func explain(err error) *problem.Problem {
	var body *hop.BodyError
	if errors.As(err, &body) {
		return explainBody(body.Err)
	}
	switch {
	case errors.Is(err, hop.ErrUnavailable):
		return problem.New(http.StatusServiceUnavailable, "no-replica", "no replica of the service can be used at the moment").Retry(retryAfter)
	case errors.Is(err, hop.ErrSaturated):
		return problem.New(http.StatusServiceUnavailable, "overloaded", "all replicas of the service are busy").Retry(retryAfter)
	}
	var failure *hop.Failure
	if errors.As(err, &failure) {
		switch failure.Outcome {
		case upstream.Canceled:
			return nil
		case upstream.Timeout:
			return problem.New(http.StatusGatewayTimeout, "upstream-timeout", "the service did not answer in time").Retry(retryAfter)
		case upstream.ConnectError:
			return problem.New(http.StatusBadGateway, "upstream-unreachable", "the service cannot be reached").Retry(retryAfter)
		}
	}
	return problem.New(http.StatusBadGateway, "upstream-failed", "the service broke off or gave no valid answer").Retry(retryAfter)
}

// explainBody is explain for what is the client's side of a body.
func explainBody(err error) *problem.Problem {
	var malformed *h1.Error
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &malformed):
		return problem.New(malformed.Status, malformed.Name, malformed.Detail)
	case errors.As(err, &tooLong):
		return problem.New(h1.ErrBodyTooLong.Status, h1.ErrBodyTooLong.Name, h1.ErrBodyTooLong.Detail)
	case errors.Is(err, front.ErrTooSlow), errors.Is(err, hop.ErrBodyLate):
		return problem.New(http.StatusRequestTimeout, "too-slow", front.ErrTooSlow.Error())
	}
	return nil
}
