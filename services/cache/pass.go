package cache

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/cache/origin"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// replayable is how large a request body may be to be kept for a retry; larger ones are streamed once.
const replayable = 64 << 10

// pass sends the request upstream as it is and the answer back, storing nothing.
func (x *exchange) pass(why rfc9111.Forward, detail string) {
	x.cs = rfc9111.CacheStatus{Forward: why, Detail: detail}
	rq, refused := x.passRequest()
	if refused != nil {
		x.refuse(refused)
		return
	}
	resp, err := x.s.Origin.Do(x.ctx, rq)
	if err != nil {
		var body *origin.BodyError
		if errors.As(err, &body) {
			x.refuse(x.s.bodyProblem(body.Err))
			return
		}
		x.c.CloseAfter()
		x.fail(problemOf(err))
		return
	}
	for _, target := range rfc9111.Invalidates(x.rq.Method, x.rq.Host, x.target(), resp.Status, resp.Header) {
		x.s.invalidate(x.keyOf(target))
	}
	x.stream(resp)
}

// passRequest builds the upstream request. Nothing of it is kept after the exchange, except by net/http,
// which may still hold the header for a moment: so the header is copied.
func (x *exchange) passRequest() (*origin.Request, *problem.Problem) {
	h := rfc9111.EndToEnd(x.rq.Header).Clone()
	h = h.Del("Host").Del("Content-Length").Del("Expect")
	out := &origin.Request{Method: strings.Clone(x.rq.Method), Host: strings.Clone(x.rq.Host), Target: strings.Clone(x.target())}
	if x.route.Session != "" {
		h, out.Session = x.session(h)
	}
	out.Header = x.outgoing(h)
	switch n := x.rq.Length; {
	case n == 0:
	case n > x.s.MaxBody:
		return nil, tooLarge(x.s.MaxBody)
	case n > 0 && n <= replayable:
		body := make([]byte, n)
		if _, err := io.ReadFull(x.c.Body(), body); err != nil {
			return nil, x.s.bodyProblem(err)
		}
		out.Body = body
	default:
		out.Stream, out.Length = &bounded{r: x.c.Body(), left: x.s.MaxBody}, n
	}
	return out, nil
}

func tooLarge(limit int64) *problem.Problem {
	return problem.New(http.StatusRequestEntityTooLarge, "body-too-large", "the request body is larger than this service accepts").With("limit", limit)
}

// bodyProblem is what a client is told whose request body could not be read.
func (s *Server) bodyProblem(err error) *problem.Problem {
	var malformed *h1.Error
	switch {
	case errors.Is(err, errBodyTooLarge):
		return tooLarge(s.MaxBody)
	case errors.As(err, &malformed):
		return problem.New(malformed.Status, malformed.Name, malformed.Detail)
	case isTimeout(err):
		return problem.New(http.StatusRequestTimeout, "too-slow", "the request body did not arrive in time")
	}
	return problem.New(http.StatusBadRequest, "body-incomplete", "the request body ended early")
}

var errBodyTooLarge = errors.New("request body too large")

// bounded ends a body of unknown length with an error when it grows too large.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errBodyTooLarge
	}
	return n, err
}
