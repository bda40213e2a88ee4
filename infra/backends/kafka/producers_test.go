package kafka

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/kafkatest"
)

// sequenced is a producer that says itself what it sends, and under which number.
type sequenced struct {
	t     *testing.T
	addr  string
	topic string
	id    int64
	epoch int16
}

func newSequenced(t *testing.T, addr, topic string) *sequenced {
	t.Helper()
	broker := sarama.NewBroker(addr)
	if err := broker.Open(settings()); err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	s := &sequenced{t: t, addr: addr, topic: topic}
	await.Seen(t, "there is an identity", func() (any, bool) { // the real broker has them a moment after its start
		answer, err := broker.InitProducerID(&sarama.InitProducerIDRequest{Version: 4, ProducerID: -1, ProducerEpoch: -1, TransactionTimeout: time.Minute})
		if err != nil || answer.Err != sarama.ErrNoError {
			return answer, false
		}
		s.id, s.epoch = answer.ProducerID, answer.ProducerEpoch
		return nil, true
	})
	return s
}

// send sends a batch of so many records, and returns the offset of the first, or why there is none.
func (s *sequenced) send(partition, sequence int32, records int) (offset int64, code sarama.KError) {
	s.t.Helper()
	await.Seen(s.t, "the partition is served", func() (any, bool) {
		broker := sarama.NewBroker(s.addr)
		if err := broker.Open(settings()); err != nil {
			return err, false
		}
		defer broker.Close()
		answer, err := broker.Produce(s.request(partition, sequence, records))
		if err != nil {
			return err, false
		}
		block := answer.GetBlock(s.topic, partition)
		offset, code = block.Offset, block.Err
		return code, code != sarama.ErrNotLeaderForPartition && code != sarama.ErrUnknownTopicOrPartition
	})
	return offset, code
}

func (s *sequenced) request(partition, sequence int32, records int) *sarama.ProduceRequest {
	now := time.Now().Truncate(time.Millisecond)
	batch := &sarama.RecordBatch{Version: 2, ProducerID: s.id, ProducerEpoch: s.epoch, FirstSequence: sequence, FirstTimestamp: now, MaxTimestamp: now, LastOffsetDelta: int32(records - 1)}
	for i := range records {
		batch.Records = append(batch.Records, &sarama.Record{OffsetDelta: int64(i), Key: []byte("k"), Value: []byte("v")})
	}
	request := &sarama.ProduceRequest{Version: 7, RequiredAcks: sarama.WaitForAll, Timeout: 10_000}
	request.AddBatch(s.topic, partition, batch)
	return request
}

// is sends a batch, which has to be at an offset.
func (s *sequenced) is(offset int64, partition, sequence int32, records int) {
	s.t.Helper()
	if got, code := s.send(partition, sequence, records); code != sarama.ErrNoError || got != offset {
		s.t.Errorf("epoch %d, %d records from %d in partition %d: offset %d, %v; want offset %d", s.epoch, records, sequence, partition, got, code, offset)
	}
}

// refused sends a batch, which has to be refused.
func (s *sequenced) refused(want sarama.KError, partition, sequence int32) {
	s.t.Helper()
	if got, code := s.send(partition, sequence, 1); code != want {
		s.t.Errorf("epoch %d, %d in partition %d: offset %d, %v; want %v", s.epoch, sequence, partition, got, code, want)
	}
}

// A batch whose answer was lost is sent again, and then the broker may have been killed in between.
func repeated(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "repeated", 2, nil)
	s := newSequenced(t, b.Addr, "repeated")
	s.is(0, 0, 0, 3)
	for i := range int32(6) {
		s.is(int64(3+i), 0, 3+i, 1)
	}
	s.is(0, 1, 0, 2)
	again := func(last int32) {
		for i := 9 - last; i < 9; i++ {
			s.is(int64(i), 0, i, 1)
		}
		s.is(0, 1, 0, 2)
		s.refused(sarama.ErrOutOfOrderSequenceNumber, 0, 10)
	}
	again(5)
	b.Kill()
	b.Start()
	again(1) // the real broker knows one of each producer after its start, and no producer here has more on its way
	s.is(9, 0, 9, 1)
	s.is(2, 1, 2, 1)
	old := *s
	s.epoch++
	s.is(10, 0, 0, 1)
	for _, end := range []func(){b.Kill, b.Stop, b.Kill} {
		end()
		b.Start()
		s.is(10, 0, 0, 1)
		old.refused(sarama.ErrInvalidProducerEpoch, 0, 10)
		s.refused(sarama.ErrOutOfOrderSequenceNumber, 0, 2)
	}
	s.is(11, 0, 1, 1)
	if n := end(t, b.Addr, "repeated", 0); n != 12 {
		t.Errorf("there are %d records, want 12", n)
	}
}

func TestProducersAreKnownFromALogThatEndsInTheMiddleOfABatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := kafkatest.Embedded(t, "KAFKA_DATA_DIR="+dir)
	create(t, administer(t, b.Addr), "cut/off", 1, nil)
	s := newSequenced(t, b.Addr, "cut/off")
	s.is(0, 0, 0, 1)
	s.epoch++
	s.is(1, 0, 0, 1)
	s.is(2, 0, 1, 1)
	b.Kill()
	segments, _ := filepath.Glob(filepath.Join(dir, "partitions", "*", "*.dat"))
	if len(segments) != 1 {
		t.Fatalf("the segments are %v", segments)
	}
	info, err := os.Stat(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(segments[0], info.Size()-1); err != nil {
		t.Fatal(err)
	}
	ids, err := os.OpenFile(filepath.Join(dir, "pids.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ids.WriteString("\x20\x00\x00\x00not whole"); err != nil {
		t.Fatal(err)
	}
	if err := ids.Close(); err != nil {
		t.Fatal(err)
	}
	b.Start()
	s.is(1, 0, 0, 1)
	s.is(2, 0, 1, 1) // it was cut off, and is written now
	if n := end(t, b.Addr, "cut/off", 0); n != 3 {
		t.Errorf("there are %d records, want 3", n)
	}
	if other := newSequenced(t, b.Addr, "cut/off"); other.id == s.id {
		t.Error("the identity is given again")
	}
	b.Kill()
	b.Start()
	s.epoch--
	s.refused(sarama.ErrInvalidProducerEpoch, 0, 1)
}
