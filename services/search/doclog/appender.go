package doclog

import (
	"context"
	"errors"
	"math"

	"github.com/IBM/sarama"
)

// A ProducerIdentity is a name under which brokers take what they are sent once, and in order. Of the same ID the one with the greatest
// epoch counts: as soon as it has written to a partition, the brokers refuse there what the others have sent, however late that comes.
type ProducerIdentity struct {
	ID    int64 `json:"id"`
	Epoch int16 `json:"epoch"`
}

// Next is the identity of whoever takes over. It is false when there is none any more.
func (i ProducerIdentity) Next() (ProducerIdentity, bool) {
	return ProducerIdentity{ID: i.ID, Epoch: i.Epoch + 1}, i.Epoch < math.MaxInt16-1
}

// An Appender writes to one partition for one caller, who waits for each batch. Unlike a Writer it never goes on by itself behind a batch
// whose end is not known: after an error that is no *Invalid it writes nothing any more, so that the log has a beginning of what was
// appended, without gaps. It is not safe for concurrent use.
type Appender struct {
	cluster   *Cluster
	partition int32
	producer  producer
	broken    error
}

// Bounds of what is appended at a time.
const (
	AppendRecords = batched
	AppendBytes   = batchBytes
)

// NewAppender returns what writes to a partition under an identity that nobody else has. Of each epoch there is one Appender for a partition.
func NewAppender(c *Cluster, partition int32, i ProducerIdentity) *Appender {
	return &Appender{cluster: c, partition: partition, producer: producer{open: true, id: i.ID, epoch: i.Epoch, fixed: true}}
}

// Append writes records, in order, and returns the offset of the last one. Its errors are
// *Invalid, *Refused, *Unknown and *Fenced. When a batch is not written those before it are, and none behind it.
func (a *Appender) Append(ctx context.Context, records ...Record) (int64, error) {
	if a.broken != nil {
		return -1, a.broken
	}
	offset := int64(-1)
	encoded := make([]*sarama.Record, len(records))
	for i, r := range records {
		var err error
		if encoded[i], err = encode(r); err != nil {
			return -1, err
		}
		withTrace(ctx, encoded[i])
	}
	for len(encoded) > 0 {
		n := fitting(encoded)
		base, err := a.producer.produce(ctx, a.cluster, a.partition, encoded[:n])
		if err != nil {
			if invalid := new(Invalid); !errors.As(err, &invalid) || len(records) > n {
				a.broken = err
			}
			return -1, err
		}
		offset, encoded = base+int64(n)-1, encoded[n:]
	}
	return offset, nil
}

// fitting is how many records one request takes: one at least.
func fitting(records []*sarama.Record) int {
	bytes := 0
	for i, r := range records {
		if bytes += size(r); i > 0 && (i == batched || bytes > batchBytes) {
			return i
		}
	}
	return len(records)
}
