package shardproxy

import (
	"net/http"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/hop"
	"github.com/flotilla-dev/flotilla/internal/problem"
)

// explain turns the outcome of an exchange into what the client is told, or nil when the
// client is not there any more.
func (p *proxy) explain(err error) *problem.Problem {
	switch {
	case err == hop.ErrUnavailable && p.cfg.Loss == Fail:
		return problem.New(http.StatusServiceUnavailable, "shard-lost", "no replica of the shard that has this can be used at the moment").Retry(front.RetryAfter)
	case err == hop.ErrUnavailable:
		return problem.New(http.StatusServiceUnavailable, "no-replica", "no replica of any shard can be used at the moment").Retry(front.RetryAfter)
	case err == errNoContext:
		return problem.New(http.StatusServiceUnavailable, "context-unavailable", "where this session belongs cannot be looked up at the moment").Retry(front.RetryAfter)
	case err == errMoving:
		return problem.New(http.StatusServiceUnavailable, "session-moving", "the session is on its way to another shard; nothing was done: send the request again").Retry(front.RetryAfter)
	}
	return front.Explain(err, "the shard")
}
