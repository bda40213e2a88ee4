package tlsproxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// A gate lets requests in while there is room, and bounds their bodies in size
// and time.
type gate struct {
	next  http.Handler
	slots chan struct{} // one for each request in progress
	cfg   *Config
}

func (g *gate) admit(w http.ResponseWriter, r *http.Request) {
	if refusedMethod(r.Method) {
		problem.New(http.StatusMethodNotAllowed, "method-not-allowed", r.Method+" is not passed on").Write(w)
		return
	}
	if r.ContentLength > int64(g.cfg.BodyLimit) {
		tooLarge().Write(w)
		return
	}
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	default:
		problem.New(http.StatusServiceUnavailable, "overloaded", "the application has as many requests as it may have").Retry(time.Second).Write(w)
		return
	}
	if r.Body != http.NoBody {
		b := &body{ReadCloser: r.Body, control: http.NewResponseController(w), idle: g.cfg.StreamIdle}
		r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, b))
		r.Body = http.MaxBytesReader(w, b, int64(g.cfg.BodyLimit))
	}
	g.next.ServeHTTP(w, r)
}

func tooLarge() *problem.Problem {
	return problem.New(http.StatusRequestEntityTooLarge, "body-too-large", "the request body is larger than this server accepts")
}

// body is the body of a request, with a time limit for each piece.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	due     atomic.Int64 // when the piece that is waited for is too late, in Unix nanoseconds; 0: none is waited for
}

// bodyKey is the key of a request's body in its context. A failed read ends the
// context before it returns, so that its error cannot tell who was too slow.
type bodyKey struct{}

func isLate(r *http.Request) bool {
	b, ok := r.Context().Value(bodyKey{}).(*body)
	if !ok {
		return false
	}
	due := b.due.Load()
	return due != 0 && time.Now().UnixNano() >= due
}

func (b *body) Read(p []byte) (int, error) {
	due := time.Now().Add(b.idle)
	b.due.Store(due.UnixNano())
	_ = b.control.SetReadDeadline(due) // fails only on a closed connection: the read tells
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		// The server goes on reading to notice that the client leaves. That must not
		// end when a piece would have been due.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	if err == nil || errors.Is(err, io.EOF) {
		b.due.Store(0)
	}
	return n, err
}
