package doclog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// poll is how long a broker keeps a request for records that are not there yet.
const poll = 500 * time.Millisecond

// Bounds of what is asked for at a time. A broker answers with one batch at least, whatever its size.
const (
	fetchBytes    = 1 << 20
	maxFetchBytes = 64 << 20
)

// A Batch is what a request has brought. It may have no records: then only End is news.
type Batch struct {
	Records []Record
	Next    int64 // offset after the last record, also of those that were skipped or are gone
	End     int64 // of the partition, at the time of the request
}

// A Follower reads a partition. Partition, From and Handle are needed.
type Follower struct {
	Cluster   *Cluster
	Partition int32
	From      int64  // the first offset that is wanted
	Identity  string // of the topic that From belongs to; "": any

	// Handle takes the batches in order. Its error ends Follow.
	Handle func(context.Context, Batch) error
	// Skipped is told of each record that cannot be used. Nil: it is only logged.
	Skipped func(offset int64, why string)
	// Away is told when the brokers are not reached, and nil when they are again. Nil: nobody is.
	Away func(error)

	away   bool
	noted  map[string]bool // reasons of skipping that are in the log
	empty  int64           // end of the partition when an answer without records came first; -1: the last one had some
	amount int32
}

// Why a record was skipped.
const (
	SkippedKind    = "kind"    // it is of a kind that this version does not know
	SkippedInvalid = "invalid" // it cannot be read
)

// Oldest is the offset at which a partition begins.
func (c *Cluster) Oldest(partition int32) (int64, error) {
	offset, err := c.client.GetOffset(c.topic, partition, sarama.OffsetOldest)
	if err != nil {
		return -1, fmt.Errorf("ask where partition %d begins: %w", partition, err)
	}
	return offset, nil
}

// Newest is the offset behind the last record of a partition.
func (c *Cluster) Newest(partition int32) (int64, error) {
	offset, err := c.client.GetOffset(c.topic, partition, sarama.OffsetNewest)
	if err != nil {
		return -1, fmt.Errorf("ask where partition %d ends: %w", partition, err)
	}
	return offset, nil
}

// Follow reads until ctx ends, or Handle returns an error, or the log has lost what comes next: a *Gone. Whatever else happens is
// tried again for ever.
func (f *Follower) Follow(ctx context.Context) error {
	f.noted, f.empty, f.amount = map[string]bool{}, -1, fetchBytes
	identified := false
	for n := 0; ctx.Err() == nil; {
		var err error
		if !identified {
			identified, err = f.identify()
		}
		if err == nil {
			err = f.once(ctx)
		}
		var gone *Gone
		var handled handleError
		switch {
		case errors.As(err, &gone):
			return gone
		case errors.As(err, &handled):
			return handled.error
		case err == nil:
			f.tell(nil)
			n = 0
			continue
		case ctx.Err() != nil: // which is nothing that is wrong with the brokers
			return ctx.Err()
		}
		identified = false // what answers next may be another cluster's, or a topic made anew
		f.tell(err)
		if retry.Sleep(ctx, backoff.Delay(n)) != nil {
			break
		}
		n++
	}
	return ctx.Err()
}

// handleError marks an error of Handle.
type handleError struct{ error }

// tell notes that the brokers are reached or not, when that has changed.
func (f *Follower) tell(err error) {
	if (err != nil) == f.away {
		return
	}
	f.away = err != nil
	if f.away {
		f.Cluster.log.Warn("the log cannot be followed; it is tried again", "partition", f.Partition, "error", err)
	} else {
		f.Cluster.log.Info("the log is followed again", "partition", f.Partition)
	}
	if f.Away != nil {
		f.Away(err)
	}
}

// identify holds the topic against the one that was read before.
func (f *Follower) identify() (bool, error) {
	identity, err := f.Cluster.Identity()
	if err != nil {
		return false, err
	}
	if f.Identity != "" && identity != "" && f.Identity != identity {
		return false, &Gone{Topic: f.Cluster.topic, Partition: f.Partition, Next: f.From, Oldest: -1, Newest: -1, Recreated: true}
	}
	if identity != "" {
		f.Identity = identity
	}
	return true, nil
}

// once asks for records and hands them on.
func (f *Follower) once(ctx context.Context) error {
	block, err := f.fetch()
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	batch := Batch{Next: f.From, End: block.HighWaterMarkOffset}
	for _, records := range block.RecordsSet {
		if records.RecordBatch != nil {
			f.take(&batch, records.RecordBatch)
		}
	}
	f.pass(&batch)
	if err := f.Handle(ctx, batch); err != nil {
		return handleError{err}
	}
	f.From = batch.Next
	return nil
}

// take adds the records of one of Kafka's batches, which may begin before what was asked for.
func (f *Follower) take(batch *Batch, from *sarama.RecordBatch) {
	for _, r := range from.Records {
		offset := from.FirstOffset + r.OffsetDelta
		if offset < batch.Next || from.Control {
			continue
		}
		record, err := decode(offset, r)
		if err != nil {
			f.skip(offset, err)
			continue
		}
		batch.Records = append(batch.Records, record)
	}
	if !from.PartialTrailingRecord {
		batch.Next = max(batch.Next, from.LastOffset()+1)
	}
}

func (f *Follower) skip(offset int64, err error) {
	why := SkippedInvalid
	if errors.Is(err, errOtherKind) {
		why = SkippedKind
	}
	if !f.noted[why] {
		f.noted[why] = true
		f.Cluster.log.Warn("a record of the log is skipped; further ones are only counted", "partition", f.Partition, "offset", offset, "why", why, "error", err)
	}
	if f.Skipped != nil {
		f.Skipped(offset, why)
	}
}

// pass goes on where an answer has no records though the partition does not end. Compaction leaves batches without records, one for each
// producer at most, and the library does not show them: when even a large answer has nothing, there is nothing up to where the
// partition ended before that was asked.
func (f *Follower) pass(batch *Batch) {
	if batch.Next > f.From || batch.End <= batch.Next {
		f.empty, f.amount = -1, fetchBytes
		return
	}
	if f.empty < 0 {
		f.empty = batch.End
	}
	if f.amount < maxFetchBytes {
		f.amount *= 4
		return
	}
	batch.Next = f.empty
	f.empty, f.amount = -1, fetchBytes
}

// fetch is one request to the partition's leader.
func (f *Follower) fetch() (*sarama.FetchResponseBlock, error) {
	c := f.Cluster
	broker, err := c.leader(f.Partition)
	if err != nil {
		return nil, err
	}
	request := &sarama.FetchRequest{Version: 11, MinBytes: 1, MaxBytes: f.amount, MaxWaitTime: int32(poll / time.Millisecond), SessionEpoch: -1}
	request.AddBlock(c.topic, f.Partition, f.From, f.amount, -1)
	answer, err := broker.Fetch(request)
	if err != nil {
		_ = broker.Close() // it is opened again when it is used
		return nil, fmt.Errorf("fetch: %w", err)
	}
	block := answer.GetBlock(c.topic, f.Partition)
	switch {
	case block == nil:
		return nil, fmt.Errorf("fetch: %w", sarama.ErrIncompleteResponse)
	case block.Err == sarama.ErrOffsetOutOfRange:
		return nil, f.outOfRange()
	case block.Err != sarama.ErrNoError:
		_ = c.client.RefreshMetadata(c.topic) // another one may lead; if that cannot be asked, the next request fails by it
		return nil, fmt.Errorf("fetch: %w", block.Err)
	}
	return block, nil
}

// outOfRange says what there is instead of what is wanted.
func (f *Follower) outOfRange() error {
	c := f.Cluster
	oldest, err := c.client.GetOffset(c.topic, f.Partition, sarama.OffsetOldest)
	if err != nil {
		return fmt.Errorf("ask where the partition begins: %w", err)
	}
	newest, err := c.client.GetOffset(c.topic, f.Partition, sarama.OffsetNewest)
	if err != nil {
		return fmt.Errorf("ask where the partition ends: %w", err)
	}
	return &Gone{Topic: c.topic, Partition: f.Partition, Next: f.From, Oldest: oldest, Newest: newest}
}
