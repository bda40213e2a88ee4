package doclog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/IBM/sarama"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// A producer is an identity under which a broker recognises a request that it has seen, in one partition. Its zero value gets one from a
// broker when it is needed.
type producer struct {
	open  bool
	id    int64
	epoch int16
	next  int32 // sequence number of the next record
	fixed bool  // the identity is its holder's, who alone takes the next epoch; see Appender
}

// maxEpoch is the last epoch of an identity that a broker takes.
const maxEpoch = math.MaxInt16 - 1

// produce appends records to a partition and returns the offset of the first. It repeats what may be repeated until the time of a
// request is over.
func (p *producer) produce(ctx context.Context, c *Cluster, partition int32, records []*sarama.Record) (int64, error) {
	// A request that is on its way when the writer is closed still gets its answer.
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	defer cancel()
	a := &attempts{producer: p, cluster: c, partition: partition, records: records}
	for n := 0; ; n++ {
		base, err := a.once(patience)
		if err == nil {
			p.next = advance(p.next, len(records))
			return base, nil
		}
		if a.over {
			return -1, err
		}
		if retry.Sleep(patience, backoff.Delay(n)) != nil || ctx.Err() != nil {
			return -1, a.giveUp(err)
		}
	}
}

// advance counts sequence numbers as brokers do: after the largest comes 0.
func advance(at int32, n int) int32 {
	return int32((int64(at) + int64(n)) % (int64(math.MaxInt32) + 1))
}

// attempts are those at one batch.
type attempts struct {
	producer  *producer
	cluster   *Cluster
	partition int32
	records   []*sarama.Record
	sent      bool // an earlier attempt may have written the batch
	over      bool // there is no use in another one
}

// once tries to have the batch written.
func (a *attempts) once(ctx context.Context) (int64, error) {
	c := a.cluster
	broker, err := c.leader(a.partition)
	if err != nil {
		return -1, err
	}
	if err := a.producer.identify(c); err != nil {
		return -1, err
	}
	answer, err := exchange(ctx, broker, a.request())
	if err != nil {
		a.sent = true
		_ = broker.Close() // it is opened again when it is used
		return -1, fmt.Errorf("produce: %w", err)
	}
	block := answer.GetBlock(c.topic, a.partition)
	if block == nil {
		a.sent = true
		return -1, sarama.ErrIncompleteResponse
	}
	if block.Err == sarama.ErrNoError {
		return block.Offset, nil
	}
	return -1, a.judge(block.Err)
}

// judge decides what an answer that is an error means for the batch.
func (a *attempts) judge(code sarama.KError) error {
	switch {
	case turnedDown(code):
		a.over = true
		if tooLarge(code) {
			return &Invalid{"the brokers do not take a record of this size or form"} // not at an earlier attempt either
		}
		if a.sent {
			return a.giveUp(code)
		}
		return &Refused{code}
	case fenced(code) && a.producer.fixed:
		a.over = true
		return &Fenced{code}
	case fenced(code):
		// What an earlier attempt has done is not known here: the broker has forgotten the producer, or another one has its identity.
		a.producer.open = false
		if a.sent {
			a.over = true
			return &Unknown{code}
		}
		return code // nothing was written, and a new identity may
	case !before(code):
		a.sent = true
	}
	_ = a.cluster.client.RefreshMetadata(a.cluster.topic) // another one may lead; if that cannot be asked, the next attempt fails by it
	return code
}

// giveUp ends the attempts. An open end is one of the epoch too: what is still on its way is refused after the next batch, and
// cannot come into the log behind it.
func (a *attempts) giveUp(err error) error {
	if !a.sent {
		return &Refused{err}
	}
	p := a.producer
	if p.fixed {
		return &Unknown{err}
	}
	p.next = 0
	if p.epoch++; p.epoch > maxEpoch {
		p.open = false
	}
	return &Unknown{err}
}

// identify gets an identity, if there is none.
func (p *producer) identify(c *Cluster) error {
	if p.open {
		return nil
	}
	identity, err := c.Identify()
	if err != nil {
		return err
	}
	*p = producer{open: true, id: identity.ID, epoch: identity.Epoch}
	return nil
}

// Identify gets an identity of a producer from a broker.
func (c *Cluster) Identify() (ProducerIdentity, error) {
	broker := c.client.LeastLoadedBroker()
	if broker == nil {
		return ProducerIdentity{}, sarama.ErrOutOfBrokers
	}
	answer, err := broker.InitProducerID(&sarama.InitProducerIDRequest{Version: 4, ProducerID: -1, ProducerEpoch: -1, TransactionTimeout: c.timeout})
	if err != nil {
		_ = broker.Close()
		return ProducerIdentity{}, fmt.Errorf("get a producer id: %w", err)
	}
	if answer.Err != sarama.ErrNoError {
		return ProducerIdentity{}, fmt.Errorf("get a producer id: %w", answer.Err)
	}
	return ProducerIdentity{ID: answer.ProducerID, Epoch: answer.ProducerEpoch}, nil
}

// leader returns the partition's leader, connected. What fails here was not sent.
func (c *Cluster) leader(partition int32) (*sarama.Broker, error) {
	broker, err := c.client.Leader(c.topic, partition)
	if err != nil {
		return nil, fmt.Errorf("find the leader of partition %d: %w", partition, err)
	}
	if connected, err := broker.Connected(); !connected {
		if err == nil {
			err = sarama.ErrNotConnected
		}
		_ = c.client.RefreshMetadata(c.topic) // another one may lead
		return nil, fmt.Errorf("connect to the leader of partition %d: %w", partition, err)
	}
	return broker, nil
}

// request is the batch with its identity. A repeated one has the same.
func (a *attempts) request() *sarama.ProduceRequest {
	now := time.Now().Truncate(time.Millisecond)
	batch := &sarama.RecordBatch{
		Version: 2, ProducerID: a.producer.id, ProducerEpoch: a.producer.epoch, FirstSequence: a.producer.next,
		FirstTimestamp: now, MaxTimestamp: now, LastOffsetDelta: int32(len(a.records) - 1), Records: a.records,
	}
	for i, r := range a.records {
		r.OffsetDelta = int64(i)
	}
	request := &sarama.ProduceRequest{Version: 7, RequiredAcks: sarama.WaitForAll, Timeout: int32(a.cluster.timeout / time.Millisecond)}
	request.AddBatch(a.cluster.topic, a.partition, batch)
	return request
}

// exchange sends a request and waits for its answer, which need not come: a broker can stand still.
func exchange(ctx context.Context, broker *sarama.Broker, request *sarama.ProduceRequest) (*sarama.ProduceResponse, error) {
	type outcome struct {
		answer *sarama.ProduceResponse
		err    error
	}
	done := make(chan outcome, 1)
	if err := broker.AsyncProduce(request, func(answer *sarama.ProduceResponse, err error) { done <- outcome{answer, err} }); err != nil {
		return nil, err
	}
	select {
	case o := <-done:
		return o.answer, o.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), errNoAnswer)
	}
}

var errNoAnswer = errors.New("no answer of the broker in time")
