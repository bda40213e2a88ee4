package ownership

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// forwardedHeader marks a request that was forwarded. It is forwarded once: if two
// replicas take each other for the owner, the client is told to come again.
const forwardedHeader = "Ownership-Forwarded"

// maxForwarded bounds the answer of an owner.
const maxForwarded = 4 << 20

// An answer is what an owner has said.
type relayed struct {
	status int
	header http.Header
	body   []byte
}

// forward asks the owner in place of the client.
func (s *service) forward(ctx context.Context, to lease.Identity, r *http.Request, body []byte) (relayed, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	out, err := http.NewRequestWithContext(ctx, r.Method, "http://"+to.Addr+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return relayed{}, err
	}
	for _, name := range []string{"Content-Type", "Accept", pauseHeader} {
		if v := r.Header.Get(name); v != "" {
			out.Header.Set(name, v)
		}
	}
	out.Header.Set(forwardedHeader, s.me.Name)
	resp, err := s.client.Do(out)
	if err != nil {
		return relayed{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxForwarded))
	if err != nil {
		return relayed{}, err
	}
	return relayed{resp.StatusCode, resp.Header, text}, nil
}

// unreachable is what a client is told whose owner does not answer.
func unreachable() *problem.Problem {
	return problem.New(http.StatusServiceUnavailable, "owner-unreachable", "the owner of the shard does not answer; whether an entry was recorded is known when it is sent again, with its id").Retry(retryAfter)
}
