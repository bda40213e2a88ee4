package doclog

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// A lane writes to one partition, one request at a time: while one is on its way the next one fills.
type lane struct {
	cluster   *Cluster
	partition int32
	queue     chan *waiting
	held      *waiting // taken from the queue, and too large for the last request; run's own
	producer  producer // run's own
	closed    <-chan struct{}
	bytes     atomic.Int64 // in the queue
	now       func() time.Time

	mu   sync.Mutex // guards all below
	down bool       // the last request did not get through
	next time.Time  // when somebody may try, if it did not
}

// enqueue adds a record to the queue. It does not wait: where there is no room the callers are faster than the log.
func (l *lane) enqueue(ctx context.Context, r *sarama.Record) (*waiting, error) {
	if ctx.Err() != nil {
		return nil, &Refused{ctx.Err()}
	}
	select {
	case <-l.closed:
		return nil, &Refused{ErrClosed}
	default:
	}
	if l.bytes.Add(int64(size(r))) > queueBytes {
		l.bytes.Add(-int64(size(r)))
		return nil, &Refused{ErrFull}
	}
	one := &waiting{ctx: ctx, record: r, done: make(chan struct{}), offset: -1}
	select {
	case l.queue <- one:
		return one, nil
	default:
		l.bytes.Add(-int64(size(r)))
		return nil, &Refused{ErrFull}
	}
}

// again is how often somebody tries a partition that was not reached. All others are refused at once meanwhile, so that no queue grows.
const again = RetryAfter / 2

// admit tells whether the partition may be written to.
func (l *lane) admit() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.down {
		return nil
	}
	now := l.now()
	if now.Before(l.next) {
		return ErrAway
	}
	l.next = now.Add(again)
	return nil
}

// reached notes whether a request got through.
func (l *lane) reached(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down, l.next = !yes, l.now().Add(again)
}

func (l *lane) run(ctx context.Context) {
	for {
		batch := l.gather(ctx)
		if batch == nil {
			break
		}
		l.write(ctx, batch)
	}
	for { // enqueue may have seen that the writer is open a moment before it was not
		select {
		case one := <-l.queue:
			l.drop(one, ErrClosed)
		default:
			if l.held != nil {
				l.held.end(-1, &Refused{ErrClosed})
			}
			return
		}
	}
}

// drop refuses a record that was in the queue.
func (l *lane) drop(one *waiting, cause error) {
	l.bytes.Add(-int64(size(one.record)))
	one.end(-1, &Refused{cause})
}

// gather waits for a record, and takes those with it that are there.
func (l *lane) gather(ctx context.Context) []*waiting {
	first := l.held
	l.held = nil
	if first == nil {
		select {
		case first = <-l.queue:
			l.bytes.Add(-int64(size(first.record)))
		case <-ctx.Done():
			return nil
		}
	}
	if ctx.Err() != nil {
		l.held = first
		return nil
	}
	batch, bytes := []*waiting{first}, size(first.record)
	for len(batch) < batched {
		select {
		case one := <-l.queue:
			l.bytes.Add(-int64(size(one.record)))
			if bytes += size(one.record); bytes > batchBytes {
				l.held = one
				return batch
			}
			batch = append(batch, one)
		default:
			return batch
		}
	}
	return batch
}

// write sends a batch and tells its callers. The records of callers who have left are left out.
func (l *lane) write(ctx context.Context, batch []*waiting) {
	wanted := batch[:0]
	for _, one := range batch {
		if !one.take() {
			one.end(-1, &Refused{context.Canceled})
			continue
		}
		wanted = append(wanted, one)
	}
	if len(wanted) > 0 {
		l.send(ctx, wanted)
	}
}

// send is write of records that are all wanted. A batch that the brokers turn down for what it is goes in halves: one record must not
// keep those of other callers out.
func (l *lane) send(ctx context.Context, batch []*waiting) {
	records := make([]*sarama.Record, len(batch))
	for i, one := range batch {
		records[i] = one.record
	}
	base, err := l.producer.produce(ctx, l.cluster, l.partition, records)
	if isInvalid(err) && len(batch) > 1 {
		l.send(ctx, batch[:len(batch)/2])
		l.send(ctx, batch[len(batch)/2:])
		return
	}
	l.reached(err == nil || isInvalid(err))
	for i, one := range batch {
		if err != nil {
			one.end(-1, err)
			continue
		}
		one.end(base+int64(i), nil)
	}
	if err != nil && !isInvalid(err) {
		l.cluster.log.Warn("records were not written", "partition", l.partition, "records", len(batch), "error", err)
		l.refuseQueued(errors.Unwrap(err))
	}
}

// refuseQueued lets those go who wait behind a request that failed: each of them would wait as long.
func (l *lane) refuseQueued(cause error) {
	for range len(l.queue) {
		select {
		case one := <-l.queue:
			l.drop(one, cause)
		default:
			return
		}
	}
}

func isInvalid(err error) bool {
	var invalid *Invalid
	return errors.As(err, &invalid)
}
