package edge

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/flotilla-dev/flotilla/internal/guard"
)

// A session is what all streams of one HTTP/2 or HTTP/3 connection share. It is
// found in the context of their requests.
type session struct {
	peer peer
	sni  string
	seat *sharedSeat // of HTTP/3; net/http tells the seat of HTTP/2 itself
}

type sessionKey struct{}

func withSession(ctx context.Context, s *session) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

// sessionOf returns the session of a request. Every connection has one.
func sessionOf(r *http.Request) *session {
	s, ok := r.Context().Value(sessionKey{}).(*session)
	if !ok {
		return &session{peer: peer{text: "unknown"}}
	}
	return s
}

// A sharedSeat is the seat of an HTTP/3 connection, whose streams come and go.
type sharedSeat struct {
	*guard.Seat
	open atomic.Int64
}

func (s *sharedSeat) enter() {
	if s != nil && s.open.Add(1) == 1 {
		s.Enter(guard.Busy)
	}
}

func (s *sharedSeat) leave() {
	if s != nil && s.open.Add(-1) == 0 {
		s.Enter(guard.Idle)
	}
}
