package shard

import (
	"bytes"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/link"
)

// healer deletes what a replica missed. It is the receiver of the answers.
type healer struct {
	replica *Replica
	missed  map[string]struct{}
	all     bool

	mu     sync.Mutex // guards all below
	left   int        // requests without an answer
	failed bool
}

// heal takes a replica back when everything that it missed is deleted on it. A
// replica that missed nothing still has to answer.
func (r *Replica) heal() {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.state.Store(healing)
	h := &healer{replica: r, missed: r.missed, all: r.all}
	r.missed, r.all = nil, false
	r.mu.Unlock()
	requests := [][]byte{[]byte("version\r\n")}
	if h.all {
		requests[0] = []byte("flush_all\r\n")
	}
	for key := range h.missed {
		requests = append(requests, Forget([]byte(key)))
	}
	h.send(requests)
}

func (h *healer) send(requests [][]byte) {
	h.left = len(requests)
	l := h.replica.links[0]
	for i, request := range requests {
		if err := h.ask(l, request); err != nil {
			h.over(len(requests)-i, true)
			break
		}
	}
	l.Flush()
}

// ask queues a request, and waits where the link has no room: there may be more
// to delete than can be under way.
func (h *healer) ask(l *link.Link, request []byte) error {
	for {
		err := l.Send(time.Now(), request, nil, link.Call{To: h})
		if !errors.Is(err, link.ErrBusy) {
			return err
		}
		l.Flush()
		l.Room()
	}
}

// Answer implements link.Receiver.
func (h *healer) Answer(_ link.Token, answer []byte) bool {
	h.over(1, bytes.HasPrefix(answer, []byte("SERVER_ERROR")))
	return false
}

// Fail implements link.Receiver.
func (h *healer) Fail(link.Token, error) bool {
	h.over(1, true)
	return false
}

// Flush implements link.Receiver.
func (h *healer) Flush() {}

// over counts requests that are over, and ends the healing with the last.
func (h *healer) over(n int, failed bool) {
	h.mu.Lock()
	h.left -= n
	h.failed = h.failed || failed
	left, failed := h.left, h.failed
	h.mu.Unlock()
	if left == 0 {
		h.replica.takeBack(h, !failed)
	}
}

// takeBack ends the healing of a replica, or tries again later.
func (r *Replica) takeBack(h *healer, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if !done {
		r.all = r.all || h.all || len(r.missed)+len(h.missed) > MaxMissed
		if r.missed == nil {
			r.missed = map[string]struct{}{}
		}
		maps.Copy(r.missed, h.missed)
		if r.all {
			r.missed = nil
		}
		r.state.Store(away)
		r.timer.Reset(r.shard.o.Retry)
		return
	}
	if len(r.missed) > 0 || r.all { // was missed just before the healing began
		r.timer.Reset(0)
		return
	}
	r.timer = nil
	r.state.Store(live)
	r.shard.o.Log.Info("replica is back", "shard", r.shard.o.Name, "server", r.addr, "deleted", len(h.missed), "flushed", h.all)
}
