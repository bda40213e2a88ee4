package deliver

import (
	"context"
	"encoding/json"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/follow"
)

// Counts are what became of some lines.
type Counts struct {
	Records  int // that left
	Lines    int // in them
	Unparsed int // of the lines, those that were passed on as they stood
	Blank    int // lines without content, for which there is no record
	Hole     int // NUL bytes that nobody wrote
}

// Batch is records of one source on their way, and what is to be remembered once
// they have left.
type Batch struct {
	Source  string
	Lines   []byte // of JSON
	Request []byte // the same records by OTLP; empty when it is not used
	Counts  Counts

	Before []follow.Change // saved before the records leave
	After  []follow.Change // and after they have
	Cursor json.RawMessage // of a polled source, after they have

	Done func(Counts) // told when the records have left
}

// The size of a batch: it is sent when it has one of these.
const (
	Size    = 256 << 10 // bytes of JSON
	Records = 1000
)

// keep is how large a buffer may be to be used again.
const keep = 1 << 20

// Full tells that the batch should be sent.
func (b *Batch) Full() bool { return len(b.Lines) >= Size || b.Counts.Records >= Records }

// Empty tells that there is nothing to send.
func (b *Batch) Empty() bool {
	return b.Counts == Counts{} && len(b.Before) == 0 && len(b.After) == 0 && b.Cursor == nil
}

func (b *Batch) reset() {
	*b = Batch{Lines: b.Lines[:0], Request: b.Request[:0], Before: b.Before[:0], After: b.After[:0]}
	if cap(b.Lines) > keep {
		b.Lines = nil
	}
	if cap(b.Request) > 2*keep {
		b.Request = nil
	}
}

// Queue is the bounded buffer between sources and outputs: a fixed number of
// batches that go round. When all of them are on their way, sources wait; files
// keep what they have not read, and the writers of pipes wait too.
type Queue struct {
	free chan *Batch
	full chan *Batch
}

// NewQueue returns a queue of n batches.
func NewQueue(n int) *Queue {
	q := &Queue{free: make(chan *Batch, n), full: make(chan *Batch, n)}
	for range n {
		q.free <- &Batch{}
	}
	return q
}

// Take returns an empty batch. It waits while there is none.
func (q *Queue) Take(ctx context.Context) (*Batch, error) {
	select {
	case b := <-q.free:
		return b, nil
	default:
	}
	select {
	case b := <-q.free:
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Send puts a batch on its way. It never waits: there is room for all batches.
func (q *Queue) Send(b *Batch) { q.full <- b }

// Close says that no batch will be sent any more.
func (q *Queue) Close() { close(q.full) }

// Waiting is how many batches are on their way.
func (q *Queue) Waiting() int { return len(q.full) }

func (q *Queue) put(b *Batch) {
	b.reset()
	q.free <- b
}
