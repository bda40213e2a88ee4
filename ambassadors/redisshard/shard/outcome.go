package shard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
)

// ConnectError is that a connection could not be opened.
type ConnectError struct{ Err error }

func (e *ConnectError) Error() string { return "connect: " + e.Err.Error() }
func (e *ConnectError) Unwrap() error { return e.Err }

// texts are the replies to requests that get none from the server.
type texts struct{ timeout, connect, login, tooLarge, closed []byte }

func newTexts(o Options) texts {
	text := func(format string, args ...any) []byte {
		return resp.AppendError(nil, "ERR shard "+o.Server.Name+" "+fmt.Sprintf(format, args...))
	}
	return texts{
		timeout:  text("did not answer within %s", o.Timeout),
		connect:  text("cannot be reached"),
		login:    text("does not let redisshard log in"),
		tooLarge: text("answered with more than %d bytes, the limit of a reply", o.MaxReply),
		closed:   text("closed the connection before it answered"),
	}
}

// Failure is the reply to a request that gets none because of an error.
func (s *Shard) Failure(err error) []byte {
	var connect *ConnectError
	switch {
	case errors.Is(err, link.ErrTimeout):
		return s.texts.timeout
	case errors.Is(err, errLogin):
		return s.texts.login
	case errors.As(err, &connect):
		return s.texts.connect
	case errors.Is(err, resp.ErrTooLarge):
		return s.texts.tooLarge
	}
	return s.texts.closed
}

// reason is what metrics call an error.
func reason(err error) string {
	var connect *ConnectError
	switch {
	case errors.Is(err, link.ErrTimeout):
		return "timeout"
	case errors.As(err, &connect):
		return "connect"
	case errors.Is(err, resp.ErrProtocol), errors.Is(err, link.ErrUnexpected):
		return "protocol"
	}
	return "closed"
}

// forget is told of a link that ended.
func (s *Shard) forget(l *link.Link, err error, lost int) {
	s.mu.Lock()
	delete(s.links, l)
	s.dropIdle(l)
	for _, slots := range s.shared {
		for i := range slots {
			slots[i].link.CompareAndSwap(l, nil)
		}
	}
	s.mu.Unlock()
	var connect *ConnectError
	switch {
	case errors.Is(err, link.ErrClosed), errors.Is(err, context.Canceled):
		return
	case lost == 0 && !errors.As(err, &connect):
		return // the server closed a connection that nobody used
	}
	s.o.Meter.failed(reason(err))
	s.o.Log.Warn("connection to shard ended", "shard", s.o.Server.Name, "addr", s.o.Server.Addr, "error", err, "requests_lost", lost)
	s.report(false)
}

// notUsable are the errors of a server that answers and yet is of no use, for
// now. Others are errors of the request.
var notUsable = [][]byte{[]byte("-LOADING "), []byte("-BUSY "), []byte("-MASTERDOWN ")}

// replied is told of a reply.
func (s *Shard) replied(reply []byte) {
	if len(reply) > 0 && reply[0] == '-' {
		for _, prefix := range notUsable {
			if bytes.HasPrefix(reply, prefix) {
				s.report(false)
				return
			}
		}
	}
	s.report(true)
}

func (s *Shard) report(ok bool) {
	switch box := s.health.Load(); {
	case box == nil:
	case ok:
		box.Succeeded()
	default:
		box.Failed()
	}
}

// dialled notes how an attempt to connect went.
func (s *Shard) dialled(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
	if err == nil {
		s.pause = 0
		return
	}
	s.pause = min(max(2*s.pause, firstPause), maxPause)
	s.notAgain = time.Now().Add(s.pause)
}
