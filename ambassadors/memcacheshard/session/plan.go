package session

import (
	"errors"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/shard"
)

// plan is a command that is more than one request to one server. It is called
// with the session's mu held.
type plan interface {
	// answered takes the answer to a part; nil is one that was too large. It tells
	// whether that was the last one.
	answered(s *Session, part int32, text []byte) (done bool)
	// failed takes note that the answer to a part will never come.
	failed(s *Session, part int32, err error) (done bool)
	// result is the answer to the command.
	result() []byte
}

// errTooLarge stands for an answer that was too large.
var errTooLarge = errors.New("gave an answer that is too large")

// begin sends what a plan starts with, by the goroutine that reads from the
// client. A request that cannot be sent has failed.
func (s *Session) begin(r *shard.Replica, line, data []byte, t link.Token) {
	if err := s.dispatch(r.Link(s.number), line, data, t); err != nil {
		s.Fail(t, err)
	}
}

// follow sends what a plan goes on with, by the goroutine of a link: it cannot
// wait. It is called with mu held.
func (s *Session) follow(r *shard.Replica, line, data []byte, t link.Token) error {
	return send(r.Link(s.number), line, data, link.Call{To: s, Token: t})
}

// send sends a request at once. Who sends so has the command it is for counted as
// its client's memory.
func send(l *link.Link, line, data []byte, c link.Call) error {
	if err := l.Insist(time.Now(), line, data, c); err != nil {
		return err
	}
	l.Flush()
	return nil
}

// forget deletes a key on a server; nobody waits for the answer.
func (s *Session) forget(r *shard.Replica, key []byte) {
	if err := send(r.Link(s.number), shard.Forget(key), nil, link.Call{}); err != nil {
		r.Missed(key, err)
	}
}
