package front

import (
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/hop"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// RetryAfter is what clients are asked to wait after a 502, 503 or 504: most are over as
// soon as the next check finds a replica.
const RetryAfter = time.Second

// Explain turns the outcome of an exchange into what the client is told, or nil when the
// client is not there any more. whom is what the client calls who was asked, such as "the
// service".
func Explain(err error, whom string) *problem.Problem {
	var body *hop.BodyError
	if errors.As(err, &body) {
		return explainBody(body.Err)
	}
	switch {
	case errors.Is(err, hop.ErrUnavailable):
		return problem.New(http.StatusServiceUnavailable, "no-replica", "no replica of "+whom+" can be used at the moment").Retry(RetryAfter)
	case errors.Is(err, hop.ErrSaturated):
		return problem.New(http.StatusServiceUnavailable, "overloaded", "all replicas of "+whom+" are busy").Retry(RetryAfter)
	}
	var failure *hop.Failure
	if errors.As(err, &failure) {
		switch failure.Outcome {
		case upstream.Canceled:
			return nil
		case upstream.Timeout:
			return problem.New(http.StatusGatewayTimeout, "upstream-timeout", whom+" did not answer in time").Retry(RetryAfter)
		case upstream.ConnectError:
			return problem.New(http.StatusBadGateway, "upstream-unreachable", whom+" cannot be reached").Retry(RetryAfter)
		}
	}
	return problem.New(http.StatusBadGateway, "upstream-failed", whom+" broke off or gave no valid answer").Retry(RetryAfter)
}

// explainBody is Explain for what is the client's side of a body.
func explainBody(err error) *problem.Problem {
	var malformed *h1.Error
	var tooLong *http.MaxBytesError // of a body that net/http reads
	switch {
	case errors.As(err, &malformed):
		return problem.New(malformed.Status, malformed.Name, malformed.Detail)
	case errors.As(err, &tooLong):
		return problem.New(h1.ErrBodyTooLong.Status, h1.ErrBodyTooLong.Name, h1.ErrBodyTooLong.Detail)
	case errors.Is(err, ErrTooSlow), errors.Is(err, hop.ErrBodyLate):
		return problem.New(http.StatusRequestTimeout, "too-slow", ErrTooSlow.Error())
	}
	return nil
}

// ExplainHead is Explain for what Await says of a request that began.
func ExplainHead(err error) *problem.Problem {
	var malformed *h1.Error
	switch {
	case errors.As(err, &malformed):
		return problem.New(malformed.Status, malformed.Name, malformed.Detail)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem.New(http.StatusRequestTimeout, "too-slow", "the head of the request did not arrive in time")
	}
	return nil
}
