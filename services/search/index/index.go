// Package index is an inverted index in memory that can answer for any moment of the last minute, and that scores with statistics
// it is given.
//
// It is built from a log of documents by one writer. Its moments are epochs: offsets of that log; the state at an epoch is that
// after all records before it. Indexes that applied the same log have the same states at the same epochs, and answer the same
// bits, whatever else they applied since, and whether they replayed the log or were restored from a dump.
//
//	x := index.New(index.Options{Versions: time.Minute})
//	err := x.Apply([]index.Change{{Offset: 17, ID: "n02084071", Document: &document.Document{…}}})
//	view, err := x.At(wire.Latest)
//	statistics, err := view.Statistics(q)   // what this index knows of the query
//	plan, err := index.Sum(q, []wire.Statistics{statistics, …}) // of all shards
//	answer, err := view.Search(ctx, wire.SearchRequest{Epoch: view.Epoch(), Plan: plan, Limit: 10})
//
// # How it is built
//
// A version of a document has a number, in the order of the log. A stem has postings: for each version with it, where it stands,
// in compact bytes that are only appended to. A search takes, under a lock and in microseconds, the lists that it needs as they are
// then – lengths of slices – and works on these alone: the writer does not wait for it, and it never sees half a change, because
// whatever is written later has an offset that its epoch does not see. Numbers of documents, lengths, and of documents with a stem
// or a surface form are kept with what they were at each epoch of the window, so that statistics are exact without a look at
// postings.
//
// What no epoch of the window sees is swept while changes are applied, a little with each of them: postings are rewritten when
// a third of them is dead, tables of versions likewise, and words that nobody uses go. So an index whose documents are
// replaced again and again stays as big as its documents are, and what the window holds.
package index

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Errors of an index.
var (
	ErrGone   = errors.New("the epoch is older than those that are kept")
	ErrFuture = errors.New("the epoch has not been reached yet")
	ErrFull   = errors.New("the index is as big as it may be")
)

// Options of an index.
type Options struct {
	Versions    time.Duration    // how long an epoch can be asked for after it was the newest; 0: not at all
	MostChanges int              // that are kept apart at most, whatever Versions says: a flood of writes shortens the window; 0: 65,536
	MaxBytes    int64            // past which no document is taken; 0: no bound
	Now         func() time.Time // nil: time.Now
}

// Change is a record of the log. Without a document it deletes.
type Change struct {
	Offset   int64
	ID       string
	Document *document.Document
}

// Index is an inverted index in memory. One goroutine writes, any number reads.
type Index struct {
	options Options
	writer  sync.Mutex // held by Apply, Advance, Restore and Sweep: who reads does not wait for it
	window  window
	worn    int // dead versions at which the table is swept next

	mu        sync.RWMutex // guards what follows, for moments; the writer alone changes it, and so reads it without
	epoch     int64
	oldest    int64
	changed   chan struct{} // closed when the epoch has moved; nil: nobody waits
	table     table
	ids       map[string]uint64 // number of the latest version
	dead      int               // versions in the table that were replaced or deleted
	stems     vocabulary
	labels    vocabulary
	forms     *forms // the writer's
	formed    bool   // it was changed since it was published
	published *forms // as of the epoch; never changed, so that it is gone through without the lock
	totals    history[totals]
	bytes     int64
	remember  bool // false while the index is restored: epochs before the end of that cannot be asked for

	old, new analysis // the writer's
}

// New makes an empty index, at epoch 0.
func New(options Options) *Index {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.MostChanges <= 0 {
		options.MostChanges = 1 << 16
	}
	return &Index{
		options: options, window: window{versions: options.Versions}, remember: true,
		table: newTable(), ids: make(map[string]uint64), stems: newVocabulary(), labels: newVocabulary(),
		forms: new(forms), published: new(forms),
	}
}

// Epoch is the newest: the offset after the last change.
func (x *Index) Epoch() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.epoch
}

// Oldest is the oldest epoch that can be asked for.
func (x *Index) Oldest() int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.oldest
}

// Size tells how many documents live in the newest state, how many different stems are known, and about how many bytes all of it takes.
func (x *Index) Size() (documents, words, bytes int64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.totals.now.documents, int64(len(x.stems.all)), x.bytes
}

// Apply applies changes: offsets ascend, and none is before the epoch. Readers see all of them or none. On an error nothing is applied.
func (x *Index) Apply(changes []Change) error {
	x.writer.Lock()
	defer x.writer.Unlock()
	if len(changes) == 0 {
		return nil
	}
	if err := x.check(changes); err != nil {
		return err
	}
	for i := range changes {
		x.apply(&changes[i])
	}
	x.publish(changes[len(changes)-1].Offset + 1)
	x.sweep(len(changes))
	return nil
}

// Advance tells that the log has nothing else before an offset: it was compacted, or has records that are no documents.
func (x *Index) Advance(offset int64) {
	x.writer.Lock()
	defer x.writer.Unlock()
	if offset > x.epoch {
		x.publish(offset)
	}
	x.sweep(1)
}

// publish makes an epoch the newest, and moves the window.
func (x *Index) publish(epoch int64) {
	now := x.options.Now()
	if epoch != x.epoch {
		x.window.leave(x.epoch, now)
	}
	x.window.move(epoch, now)
	if past := x.totals.past; len(past) > x.options.MostChanges {
		x.window.oldest = max(x.window.oldest, past[len(past)-x.options.MostChanges].until)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.epoch, x.oldest = epoch, x.window.oldest
	if x.formed {
		x.published, x.formed = x.forms.Copy(), false
	}
	if x.changed != nil {
		close(x.changed)
		x.changed = nil
	}
}

// Wait returns when an epoch has been reached.
func (x *Index) Wait(ctx context.Context, epoch int64) error {
	for {
		changed := x.until(epoch)
		if changed == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for epoch %d: %w", epoch, context.Cause(ctx))
		}
	}
}

// until returns what is closed when the epoch has moved, or nil when it has been reached.
func (x *Index) until(epoch int64) <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.epoch >= epoch {
		return nil
	}
	if x.changed == nil {
		x.changed = make(chan struct{})
	}
	return x.changed
}

// At returns a view of an epoch, wire.Latest being the newest. It holds nothing: ErrGone may come later, too.
func (x *Index) At(epoch int64) (*View, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	switch {
	case epoch == wire.Latest:
		epoch = x.epoch
	case epoch > x.epoch:
		return nil, ErrFuture
	case epoch < x.oldest:
		return nil, ErrGone
	}
	return &View{index: x, epoch: epoch}, nil
}
