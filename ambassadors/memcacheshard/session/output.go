package session

import (
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/wire"
)

// Answer implements link.Receiver. Of a client that is gone it is handled as of any
// other: what a server did, its replicas have to be told.
func (s *Session) Answer(t link.Token, text []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.slots.at(t.Seq)
	switch {
	case slot.plan != nil:
		if !slot.plan.answered(s, t.Part, text) {
			return false
		}
		text = slot.plan.result()
	case text == nil:
		text = []byte(tooLarge)
	default:
		look(slot, text)
	}
	s.answer(t.Seq, slot, text)
	return s.due()
}

const tooLarge = "SERVER_ERROR the answer is too large\r\n"

// look counts whether a key was there.
func look(slot *slot, text []byte) {
	if slot.verb == wire.Retrieve || slot.verb == wire.MetaGet {
		slot.shard.Only().Meter().Looked(text[0] == 'V' || text[0] == 'H')
	}
}

// Fail implements link.Receiver.
func (s *Session) Fail(t link.Token, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.slots.at(t.Seq)
	if slot.plan == nil {
		s.answer(t.Seq, slot, s.failure(slot, err))
		return s.due()
	}
	if !slot.plan.failed(s, t.Part, err) {
		return false
	}
	s.answer(t.Seq, slot, slot.plan.result())
	return s.due()
}

// failure is the answer to a command whose shard cannot be asked.
func (s *Session) failure(slot *slot, err error) []byte {
	if s.o.DownIsMiss && slot.verb == wire.Retrieve {
		return []byte("END\r\n")
	}
	if s.o.DownIsMiss && slot.verb == wire.MetaGet {
		return append([]byte(nil), slot.text...) // was put there for this case
	}
	return serverError(slot.shard.Name(), err)
}

func serverError(shard string, err error) []byte {
	return []byte("SERVER_ERROR shard " + shard + " " + err.Error() + "\r\n")
}

// answer is called with mu held when the answer to a command is complete. What
// the client is not to see, or is not there to see, is left out.
func (s *Session) answer(seq uint64, slot *slot, text []byte) {
	if slot.quiet && wire.Silent(slot.verb, text) {
		text = nil
	}
	s.hold(len(text))
	if s.gone { // perhaps by that
		s.hold(-len(text))
		text = nil
	}
	s.typical = max(len(text), s.typical-(s.typical-len(text))/8)
	if seq != s.slots.first {
		slot.done, slot.text = true, append(slot.text[:0], text...)
		return
	}
	s.out = append(s.out, text...)
	s.slots.pop()
	for s.slots.n > 0 {
		next := s.slots.at(s.slots.first)
		if !next.done {
			break
		}
		s.out = append(s.out, next.text...)
		s.slots.pop()
	}
	s.wake()
}

// hold counts bytes that the client has not taken, and cuts it off when it holds
// much and all together too much. It is called with mu held.
func (s *Session) hold(n int) {
	s.held += n
	s.o.Memory.add(n)
	if n > 0 && s.held > fairShare && s.o.Memory.over() && !s.gone {
		s.o.Metrics.cut("memory")
		s.cut()
	}
}

// cut ends the conversation without a word; the reading goroutine notices.
func (s *Session) cut() {
	s.gone = true
	s.drop()
	abort(s.conn)
	s.wake()
}

// drop forgets the answers that nobody will take.
func (s *Session) drop() {
	n := len(s.out)
	s.out = nil
	for i := range s.slots.n {
		if slot := s.slots.at(s.slots.first + uint64(i)); slot.done {
			n += len(slot.text)
			slot.text = nil
		}
	}
	s.hold(-n)
}

// abort ends a connection in both directions, and waits for nobody who reads it
// or writes to it. The server closes it later.
func abort(conn net.Conn) {
	halves, ok := conn.(interface {
		CloseRead() error
		CloseWrite() error
	})
	if !ok {
		go conn.Close() // which says goodbye to the peer first, in TLS
		return
	}
	_ = halves.CloseRead() // it is of no use any more, whatever happens
	_ = halves.CloseWrite()
}

// due tells whether somebody must flush, once for many answers. It is called
// with mu held.
func (s *Session) due() bool {
	if s.gone || s.dirty || len(s.out) == 0 {
		return false
	}
	s.dirty = true
	return true
}

// Flush writes the answers that are in order, without waiting for a client that
// does not read; it implements link.Receiver.
func (s *Session) Flush() {
	s.mu.Lock()
	s.dirty = false
	for !s.writing && len(s.out) > 0 && !s.gone {
		b := s.out
		s.out, s.spare, s.writing = s.spare[:0], nil, true
		s.mu.Unlock()
		n, err := s.conn.TryWrite(b)
		s.mu.Lock()
		if err == nil && n < len(b) {
			s.hold(-n)
			s.writers.Go(func() { s.writeOn(b[n:]) })
			break
		}
		s.wrote(b, err)
	}
	s.mu.Unlock()
}

// piece is how much a client has to take in the time of a write.
const piece = 64 << 10

// writeOn waits for a client that does not read.
func (s *Session) writeOn(b []byte) {
	var err error
	for err == nil && len(b) > piece {
		if err = s.writePiece(b[:piece]); err == nil {
			b = b[piece:]
			s.mu.Lock()
			s.hold(-piece)
			s.mu.Unlock()
		}
	}
	if err == nil {
		err = s.writePiece(b)
	}
	_ = s.conn.SetWriteDeadline(time.Time{}) // err tells if that matters
	s.mu.Lock()
	if err != nil && !s.gone {
		s.o.Metrics.cut("slow")
	}
	s.wrote(b, err)
	s.mu.Unlock()
	s.Flush()
}

func (s *Session) writePiece(b []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.o.WriteTimeout)); err != nil {
		return err
	}
	_, err := s.conn.Write(b)
	return err
}

// maxSpare is how much memory is kept for the next answers.
const maxSpare = 16 << 10

// wrote is called with mu held when a write is over.
func (s *Session) wrote(b []byte, err error) {
	s.writing = false
	s.hold(-len(b))
	if cap(b) <= maxSpare {
		s.spare = b[:0]
	}
	if err != nil && !s.gone {
		s.cut()
	}
	s.wake()
}
