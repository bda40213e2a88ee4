package doclog

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Bounds of a Writer.
const (
	queued     = 2048      // records of a partition that wait
	queueBytes = 16 << 20  // of them
	batched    = 500       // records of a request
	batchBytes = 900 << 10 // of a request: brokers take a mebibyte
)

// A Writer writes records. It is safe for concurrent use. Its failures are *Invalid, *Refused and *Unknown, and no others.
type Writer struct {
	cluster *Cluster
	lanes   []*lane
	stop    context.CancelFunc
	work    sync.WaitGroup
}

// NewWriter returns a writer to the partitions of a cluster's topic. The cluster stays the caller's, who closes the writer first.
func NewWriter(c *Cluster, partitions int32) *Writer {
	ctx, stop := context.WithCancel(context.Background())
	w := &Writer{cluster: c, stop: stop}
	for p := range partitions {
		l := &lane{cluster: c, partition: p, queue: make(chan *waiting, queued), closed: ctx.Done(), now: time.Now}
		w.lanes = append(w.lanes, l)
		w.work.Go(func() { l.run(ctx) })
	}
	return w
}

// Close ends the writer. What waits is refused; what was sent has the time of a request for its answer.
func (w *Writer) Close() {
	w.stop()
	w.work.Wait()
}

// A Result is what became of a record: it is in its partition at an offset, or there is an error.
type Result struct {
	Partition int32
	Offset    int64
	Err       error
}

// A Placed record has the partition that it belongs to.
type Placed struct {
	Record
	Partition int32
}

// Write writes records, and returns when it is known of each what became of it, or when ctx ends. Those of one partition are written in
// their order as far as they are written: a record that fails does not keep back those after it.
func (w *Writer) Write(ctx context.Context, records ...Placed) []Result {
	results := make([]Result, len(records))
	sent := make([]*waiting, len(records))
	admitted := make(map[int32]error, len(w.lanes)) // a call as a whole is a try at a partition that was away
	for i, r := range records {
		results[i].Partition, results[i].Offset = r.Partition, -1
		sent[i], results[i].Err = w.enqueue(ctx, r, admitted)
	}
	for i, one := range sent {
		if one != nil {
			results[i].Offset, results[i].Err = one.await(ctx)
		}
	}
	return results
}

// One writes one record.
func (w *Writer) One(ctx context.Context, partition int32, r Record) (int64, error) {
	result := w.Write(ctx, Placed{r, partition})[0]
	return result.Offset, result.Err
}

// Mark writes a mark to every partition: whoever has read it has read all that was written before, in each.
func (w *Writer) Mark(ctx context.Context, name string) []Result {
	var all []Placed
	for p := range w.lanes {
		all = append(all, Placed{Note(name), int32(p)})
	}
	return w.Write(ctx, all...)
}

func (w *Writer) enqueue(ctx context.Context, r Placed, admitted map[int32]error) (*waiting, error) {
	if r.Partition < 0 || int(r.Partition) >= len(w.lanes) {
		return nil, &Invalid{"there is no such shard"}
	}
	encoded, err := encode(r.Record)
	if err != nil {
		return nil, err
	}
	withTrace(ctx, encoded)
	l := w.lanes[r.Partition]
	refused, known := admitted[r.Partition]
	if !known {
		refused = l.admit()
		admitted[r.Partition] = refused
	}
	if refused != nil {
		return nil, &Refused{refused}
	}
	return l.enqueue(ctx, encoded)
}

// A waiting record is in a queue, or on its way.
type waiting struct {
	ctx    context.Context
	record *sarama.Record
	done   chan struct{} // closed when offset and err are set
	offset int64
	err    error

	mu    sync.Mutex // guards all below
	taken bool       // it may be sent
	left  bool       // nobody waits any more; it must not be sent
}

// take claims the record for a request. It is false when its caller has left.
func (r *waiting) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left || r.ctx.Err() != nil {
		return false
	}
	r.taken = true
	return true
}

// leave tells whether the caller may say that the record was never sent.
func (r *waiting) leave() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = !r.taken
	return r.left
}

func (r *waiting) end(offset int64, err error) {
	r.offset, r.err = offset, err
	close(r.done)
}

// await returns what became of the record, or what is known when the caller's time is over.
func (r *waiting) await(ctx context.Context) (int64, error) {
	select {
	case <-r.done:
		return r.offset, r.err
	case <-ctx.Done():
	}
	if r.leave() {
		return -1, &Refused{ctx.Err()}
	}
	select {
	case <-r.done: // both at a time: an answer is worth more
		return r.offset, r.err
	default:
		return -1, &Unknown{ctx.Err()}
	}
}
