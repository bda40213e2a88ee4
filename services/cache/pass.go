package cache

import (
	"errors"
	"io"
	"net/http"
	"strings"

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
		if errors.Is(err, errBodyTooLarge) {
			x.refuse(tooLarge(x.s.MaxBody))
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
			x.c.CloseAfter()
			return nil, problem.New(http.StatusBadRequest, "body-incomplete", "the request body ended early")
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
