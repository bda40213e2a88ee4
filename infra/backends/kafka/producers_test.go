package kafka

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
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

// written is a batch without records as it stands in a log.
func written(h head) []byte {
	raw := make([]byte, batchHead)
	binary.BigEndian.PutUint64(raw[0:], uint64(h.offset))
	binary.BigEndian.PutUint32(raw[8:], batchHead-batchPrefix)
	if h.control {
		raw[22] = 0x20
	}
	binary.BigEndian.PutUint64(raw[43:], uint64(h.producer))
	binary.BigEndian.PutUint16(raw[51:], uint16(h.epoch))
	binary.BigEndian.PutUint32(raw[53:], uint32(h.sequence))
	binary.BigEndian.PutUint32(raw[57:], uint32(h.records))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[batchSummed:], castagnoli))
	return raw
}

// logOf puts files into a folder as of a broker.
func logOf(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheLastBatchesOfEachProducerAreFound(t *testing.T) {
	t.Parallel()
	join := func(heads ...head) (all []byte) {
		for _, h := range heads {
			all = append(all, written(h)...)
		}
		return all
	}
	last := int32(math.MaxInt32)
	dir := logOf(t, map[string][]byte{
		"partitions/a%2Fb-3/0.dat":  join(head{0, 7, 0, 0, 2, false}, head{2, -1, -1, -1, 1, false}, head{3, 7, 0, 2, 1, false}, head{4, 9, 0, 5, 1, false}),
		"partitions/a%2Fb-3/10.dat": join(head{12, 9, 2, 1, 1, false}),
		"partitions/a%2Fb-3/5.dat":  join(head{5, 7, 0, 3, 1, false}, head{6, 7, 0, 4, 1, false}, head{7, 7, 0, 5, 1, false}, head{8, 7, 0, 6, 1, false}, head{9, 9, 0, 0, 1, true}, head{11, 9, 2, 0, 1, false}),
		"partitions/c-0/0.dat":      join(head{0, 7, 1, last - 1, 3, false}),
		"partitions/lost+found":     []byte("x"),
		"partitions/c-zero/0.dat":   join(head{0, 8, 0, 0, 1, false}),
	})
	if err := recoverProducers(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "seq_windows.json"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"windows":[` +
		`{"pid":7,"topic":"a/b","partition":3,"entries":[{"first_seq":6,"next_seq":7,"offset":8},{"first_seq":2,"next_seq":3,"offset":3},{"first_seq":3,"next_seq":4,"offset":5},{"first_seq":4,"next_seq":5,"offset":6},{"first_seq":5,"next_seq":6,"offset":7}],"count":5,"at":1,"epoch":0,"seen":true,"next_seq":7},` +
		`{"pid":9,"topic":"a/b","partition":3,"entries":[{"first_seq":0,"next_seq":1,"offset":11},{"first_seq":1,"next_seq":2,"offset":12},{"first_seq":0,"next_seq":0,"offset":0},{"first_seq":0,"next_seq":0,"offset":0},{"first_seq":0,"next_seq":0,"offset":0}],"count":2,"at":2,"epoch":2,"seen":true,"next_seq":2},` +
		`{"pid":7,"topic":"c","partition":0,"entries":[{"first_seq":2147483646,"next_seq":2,"offset":0},{"first_seq":0,"next_seq":0,"offset":0},{"first_seq":0,"next_seq":0,"offset":0},{"first_seq":0,"next_seq":0,"offset":0},{"first_seq":0,"next_seq":0,"offset":0}],"count":1,"at":1,"epoch":1,"seen":true,"next_seq":2}]}`
	if string(text) != want {
		t.Errorf("it is\n%s\nwant\n%s", text, want)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "pids.log"))
	if err != nil {
		t.Fatal(err)
	}
	if _, known := readIdentities(raw); len(known) != 2 || known[7].Epoch != 1 || known[9].Epoch != 2 {
		t.Errorf("the identities are %+v", known)
	}
}

// BenchmarkProducers is what a start costs, beside what kfake needs to read the same logs.
func BenchmarkProducers(b *testing.B) {
	const batches, size = 1000, 64 << 10
	one := make([]byte, size)
	var log []byte
	for i := range batches {
		copy(one, written(head{offset: int64(i), producer: 7, sequence: int32(i), records: 1}))
		binary.BigEndian.PutUint32(one[8:], size-batchPrefix)
		binary.BigEndian.PutUint32(one[17:], crc32.Checksum(one[batchSummed:], castagnoli))
		log = append(log, one...)
	}
	dir := logOf(b, map[string][]byte{"partitions/t-0/0.dat": log})
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		if err := recoverProducers(dir); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzProducers(f *testing.F) {
	f.Add(written(head{producer: 7, records: 1}), []byte{})
	f.Add(append(written(head{producer: 7, epoch: 3, records: 1}), written(head{offset: 1, producer: 7, sequence: 1, records: 2})[:60]...), []byte("\x20\x00\x00\x00"))
	ids, err := appendIdentity(nil, identity{Type: "init", ID: 7, Name: "mine"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(written(head{producer: 7, epoch: 1, records: 1}), ids)
	f.Fuzz(func(t *testing.T, segment, ids []byte) {
		l := log{known: map[int64]*window{}}
		if err := eachBatch(bytes.NewReader(segment), l.add); err != nil {
			t.Fatal(err)
		}
		all, err := addIdentities(ids, l.windows)
		if err != nil {
			t.Fatal(err)
		}
		_, known := readIdentities(all)
		for _, w := range l.windows {
			if have, is := known[w.ID]; !is || have.Name == "" && have.Epoch < w.Epoch {
				t.Errorf("of %d epoch %d is known, and it has %d: %v", w.ID, have.Epoch, w.Epoch, is)
			}
		}
		if again, err := addIdentities(all, l.windows); err != nil || !bytes.Equal(again, all) {
			t.Errorf("it is not the same when it is done again: %q, then %q, %v", all, again, err)
		}
	})
}
