package fanout

import (
	"context"
	"math/rand/v2"
	"time"
)

// The waits after a failure.
const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 500 * time.Millisecond
)

// Run follows the stream until ctx ends, and then closes the connections.
func (f *Fanout) Run(ctx context.Context) error {
	if f.stream == nil {
		<-ctx.Done()
		return nil
	}
	defer f.stream.client.Close()
	defer f.fresh.Store(0)
	follow := follower{f: f}
	wait := retryFirst
	connected := true
	for ctx.Err() == nil {
		err := follow.round(ctx)
		if err == nil {
			if !connected {
				f.log.Info("invalidations followed again")
			}
			connected, wait = true, retryFirst
			continue
		}
		if ctx.Err() != nil {
			break
		}
		f.fresh.Store(0)
		if connected {
			f.log.Warn("invalidations cannot be followed, hits are validated", "error", err)
		}
		connected = false
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		wait = min(2*wait, retryMost)
	}
	return nil
}

// follower is the one goroutine that moves a replica along the stream.
type follower struct {
	f      *Fanout
	at     position
	behind int64 // the number that the last round saw in the state without reading any record; 0: none
	goal   goal
}

// goal is a number that stood in the state some rounds ago, when this replica was behind it. To reach it proves
// that the replica has all that was recorded then: so that it is current under a steady stream of commands too.
type goal struct {
	seq  int64 // 0: none
	sent time.Duration
}

// round reads once and applies what there is.
func (w *follower) round(ctx context.Context) error {
	if w.at.epoch == "" {
		return w.restart(ctx, "start")
	}
	sent := time.Since(w.f.start)
	records, state, err := w.f.stream.read(ctx, w.at, w.behind == 0)
	if err != nil {
		return err
	}
	switch {
	case state.epoch == "":
		return w.restart(ctx, "lost")
	case state.epoch != w.at.epoch:
		w.flushTo("lost", state, state.seq)
	default:
		for _, r := range records {
			w.step(r, state.seq)
		}
	}
	w.compare(state, len(records) > 0, sent)
	return nil
}

// restart begins at the end of the stream, with an empty cache. The state is read first: what is recorded
// after it will be read, and what was recorded before it is covered by the flush.
func (w *follower) restart(ctx context.Context, reason string) error {
	sent := time.Since(w.f.start)
	state, err := w.f.stream.state(ctx)
	if err != nil {
		return err
	}
	w.flushTo(reason, state, state.seq)
	w.prove(sent)
	return nil
}

// step takes one record.
func (w *follower) step(r record, recorded int64) {
	next := position{epoch: w.at.epoch, seq: r.seq, nonce: r.nonce}
	switch {
	case r.seq <= w.at.seq:
		return
	case r.seq != w.at.seq+1:
		w.flushTo("trimmed", next, recorded) // which covers this record too
		return
	case r.prev != w.at.nonce:
		w.flushTo("lost", next, recorded)
		return
	}
	b, err := decode(r.body)
	if err != nil {
		w.f.log.Error("invalidation not understood", "id", id(next), "error", err)
		w.flushTo("unknown", next, recorded)
		return
	}
	n := w.f.apply(b.Command)
	w.f.log.Debug("invalidation applied", "id", id(next), "kind", b.kind(), "by", b.By, "removed", n)
	w.move(next, recorded, n)
}

// compare finds out from the state, which was read after the records, whether that is all.
func (w *follower) compare(state position, read bool, sent time.Duration) {
	switch {
	case state.seq < w.at.seq, state.seq == w.at.seq && state.nonce != w.at.nonce:
		w.flushTo("lost", state, state.seq)
	case state.seq > w.at.seq:
		if w.goal.seq == 0 {
			w.goal = goal{seq: state.seq, sent: sent}
		} else if w.at.seq >= w.goal.seq {
			w.f.fresh.Store(int64(w.goal.sent + Window))
			w.goal = goal{seq: state.seq, sent: sent}
		}
		if !read && w.behind > w.at.seq { // it was there the last time too, and cannot be read
			w.flushTo("trimmed", state, state.seq)
			break
		}
		if !read {
			w.behind = state.seq
		}
		w.seen(state.seq)
		return
	}
	w.prove(sent)
}

// prove says that this replica was up to date when a question was sent.
func (w *follower) prove(sent time.Duration) {
	w.behind, w.goal = 0, goal{}
	w.f.fresh.Store(int64(sent + Window))
}

func (w *follower) flushTo(reason string, at position, recorded int64) {
	w.f.flush(reason)
	w.move(at, recorded, 0)
}

// move tells those who wait how far this replica is.
func (w *follower) move(at position, recorded int64, removed int) {
	w.at = at
	f := w.f
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.recorded = at, recorded
	f.removed[at.seq%int64(len(f.removed))] = counted{seq: at.seq, n: removed}
	close(f.moved)
	f.moved = make(chan struct{})
}

func (w *follower) seen(recorded int64) {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	w.f.recorded = recorded
}
