package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/kafkatest"
)

// One suite runs over the embedded broker and over the real one, by the client that the fleet
// uses: what is written to a log must be in it, in order, whatever happens to the broker.
func TestConformanceOfTheEmbeddedBroker(t *testing.T) { conform(t, kafkatest.Embedded(t)) }
func TestConformanceOfTheRealBroker(t *testing.T)     { conform(t, kafkatest.Real(t)) }

func conform(t *testing.T, b *kafkatest.Broker) {
	t.Helper()
	for name, test := range suite {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

var suite = map[string]func(*testing.T, *kafkatest.Broker){
	"ATopicIsMadeOnceAndKeepsItsSettings":               topics,
	"ATopicThatIsNotThereIsNotMade":                     absent,
	"OneBrokerDoesNotReplicate":                         replication,
	"AnIdempotentProducerWritesToThePartitionItNames":   placement,
	"HeadersKeysAndTombstonesComeBack":                  headers,
	"APartitionIsReadFromAnOffsetToItsEnd":              offsets,
	"AConsumerAtTheEndGetsWhatIsWrittenNext":            follow,
	"AnOffsetPastTheEndIsRefused":                       outOfRange,
	"ARecordThatIsTooLargeIsRefused":                    tooLarge,
	"AnOrderlyRestartKeepsAllData":                      restart,
	"WhatIsAcknowledgedSurvivesKill":                    killed,
	"APausedBrokerLosesNothing":                         paused,
	"AProducerGoesOnAfterTheBrokerWasKilled":            reconnect,
	"ABatchThatIsSentAgainIsWrittenOnce":                repeated,
	"TheLatestValueOfEveryKeyIsInACompactedLog":         compact,
	"WhatAProducerAbortsIsNotReadByWhoReadsCommitted":   transaction,
	"ConsumersOfAGroupShareThePartitionsAndTheirOffset": group,
}

// settings are those of a client in a test: it gives up late, and tries often.
func settings() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V4_1_0_0
	c.ClientID = "conformance"
	c.Producer.RequiredAcks, c.Producer.Idempotent = sarama.WaitForAll, true
	c.Producer.Return.Successes, c.Producer.Partitioner = true, sarama.NewManualPartitioner
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = 300, 100*time.Millisecond
	c.Metadata.Retry.Max, c.Metadata.Retry.Backoff = 100, 100*time.Millisecond
	c.Metadata.AllowAutoTopicCreation = false
	c.Admin.Timeout = 30 * time.Second
	c.Net.MaxOpenRequests = 1
	c.Consumer.Return.Errors = true
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	return c
}

func administer(t *testing.T, addr string) sarama.ClusterAdmin {
	t.Helper()
	admin, err := sarama.NewClusterAdmin([]string{addr}, settings())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() }) // the test is over
	return admin
}

func producer(t *testing.T, addr string, change func(*sarama.Config)) sarama.SyncProducer {
	t.Helper()
	c := settings()
	if change != nil {
		change(c)
	}
	p, err := sarama.NewSyncProducer([]string{addr}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() }) // the test is over
	return p
}

func create(t *testing.T, admin sarama.ClusterAdmin, topic string, partitions int32, with map[string]*string) {
	t.Helper()
	if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: with}, false); err != nil {
		t.Fatal(err)
	}
}

// describe returns settings of a topic.
func describe(admin sarama.ClusterAdmin, topic string, names ...string) ([]sarama.ConfigEntry, error) {
	found, err := admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic, ConfigNames: names}}, sarama.DescribeConfigsOptions{})
	if err != nil {
		return nil, err
	}
	if len(found) != 1 || found[0].ErrorCode != sarama.ErrNoError {
		return nil, fmt.Errorf("describe %s: %+v", topic, found)
	}
	return found[0].Configs, nil
}

// send writes a record and returns its offset.
func send(t *testing.T, p sarama.SyncProducer, m *sarama.ProducerMessage) int64 {
	t.Helper()
	partition, offset, err := p.SendMessage(m)
	if err != nil {
		t.Fatal(err)
	}
	if partition != m.Partition {
		t.Errorf("it was written to partition %d, not %d", partition, m.Partition)
	}
	return offset
}

func record(topic string, partition int32, key, value string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Partition: partition, Key: sarama.StringEncoder(key), Value: sarama.StringEncoder(value)}
}

// open begins to read a partition from an offset.
func open(t *testing.T, addr, topic string, partition int32, from int64, change func(*sarama.Config)) sarama.PartitionConsumer {
	t.Helper()
	c := settings()
	if change != nil {
		change(c)
	}
	all, err := sarama.NewConsumer([]string{addr}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = all.Close() }) // the test is over
	var one sarama.PartitionConsumer
	await.Seen(t, "the partition is served", func() (any, bool) { // the real broker takes it up a moment after its start
		one, err = all.ConsumePartition(topic, partition, from)
		return err, err == nil
	})
	t.Cleanup(func() { _ = one.Close() }) // likewise
	return one
}

// take waits for the next record.
func take(t *testing.T, from sarama.PartitionConsumer) *sarama.ConsumerMessage {
	t.Helper()
	select {
	case m := <-from.Messages():
		return m
	case err := <-from.Errors():
		t.Fatal(err)
	case <-time.After(await.Limit):
		t.Fatal("no record comes")
	}
	return nil
}

// consume reads so many records of a partition.
func consume(t *testing.T, addr, topic string, partition int32, from int64, count int) []*sarama.ConsumerMessage {
	t.Helper()
	c := open(t, addr, topic, partition, from, nil)
	var all []*sarama.ConsumerMessage
	for len(all) < count {
		all = append(all, take(t, c))
	}
	return all
}

// end is the offset after the last record of a partition.
func end(t *testing.T, addr, topic string, partition int32) int64 {
	t.Helper()
	c, err := sarama.NewClient([]string{addr}, settings())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var offset int64
	await.Seen(t, "the partition is served", func() (any, bool) {
		offset, err = c.GetOffset(topic, partition, sarama.OffsetNewest)
		return err, err == nil
	})
	return offset
}

func topics(t *testing.T, b *kafkatest.Broker) {
	admin := administer(t, b.Addr)
	policy, age := "compact", "86400000"
	create(t, admin, "documents", 3, map[string]*string{"cleanup.policy": &policy, "delete.retention.ms": &age})
	again := admin.CreateTopic("documents", &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false)
	if !errors.Is(again, sarama.ErrTopicAlreadyExists) {
		t.Errorf("it is made twice: %v", again)
	}
	await.Seen(t, "it has three partitions", func() (any, bool) {
		described, err := admin.DescribeTopics([]string{"documents"})
		return err, err == nil && len(described) == 1 && len(described[0].Partitions) == 3
	})
	wanted := []string{"cleanup.policy", "delete.retention.ms", "max.message.bytes"}
	var entries []sarama.ConfigEntry
	await.Seen(t, "the settings are described", func() (any, bool) {
		var err error
		entries, err = describe(admin, "documents", wanted...)
		return err, err == nil
	})
	got := map[string]string{}
	for _, e := range entries {
		got[e.Name] = e.Value
	}
	if len(got) != 3 || got["cleanup.policy"] != policy || got["delete.retention.ms"] != age || got["max.message.bytes"] != "1048588" {
		t.Errorf("the settings are %v", got)
	}
	create(t, admin, "unset", 1, nil)
	// The real broker hears of a new topic from its controller, a moment after that has made it.
	await.Seen(t, "what nobody set is described", func() (any, bool) {
		entries, err := describe(admin, "unset", "delete.retention.ms")
		return err, err == nil && len(entries) == 1 && entries[0].Value == "86400000"
	})
}

func absent(t *testing.T, b *kafkatest.Broker) {
	few := func(c *sarama.Config) { c.Producer.Retry.Max, c.Metadata.Retry.Max = 1, 1 }
	p := producer(t, b.Addr, few)
	if _, _, err := p.SendMessage(record("nowhere", 0, "k", "v")); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("a record is written: %v", err)
	}
	all, err := administer(t, b.Addr).ListTopics()
	if _, there := all["nowhere"]; there || err != nil {
		t.Errorf("it is there: %v, %v", there, err)
	}
}

func replication(t *testing.T, b *kafkatest.Broker) {
	err := administer(t, b.Addr).CreateTopic("replicated", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 2}, false)
	if !errors.Is(err, sarama.ErrInvalidReplicationFactor) {
		t.Errorf("two replicas: %v", err)
	}
}

func placement(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "placed", 3, nil)
	p := producer(t, b.Addr, nil)
	for i := range int64(30) {
		if offset := send(t, p, record("placed", int32(i%3), "k", "v")); offset != i/3 {
			t.Errorf("record %d has the offset %d", i, offset)
		}
	}
	for partition := range int32(3) {
		if n := end(t, b.Addr, "placed", partition); n != 10 {
			t.Errorf("partition %d ends at %d", partition, n)
		}
	}
}

func headers(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "headed", 1, nil)
	p := producer(t, b.Addr, nil)
	binary := []byte{0, 0xff, '\r', '\n'}
	full := record("headed", 0, "n02084071", string(binary))
	full.Headers = []sarama.RecordHeader{{Key: []byte("kind"), Value: []byte("document")}, {Key: []byte("traceparent"), Value: binary}}
	send(t, p, full)
	send(t, p, &sarama.ProducerMessage{Topic: "headed", Key: sarama.StringEncoder("n02084071")})                                  // a tombstone
	send(t, p, &sarama.ProducerMessage{Topic: "headed", Key: sarama.StringEncoder("empty"), Value: sarama.ByteEncoder([]byte{})}) // is none
	got := consume(t, b.Addr, "headed", 0, 0, 3)
	if string(got[0].Key) != "n02084071" || !bytes.Equal(got[0].Value, binary) {
		t.Errorf("%+v", got[0])
	}
	if h := got[0].Headers; len(h) != 2 || string(h[0].Key) != "kind" || string(h[0].Value) != "document" || !bytes.Equal(h[1].Value, binary) {
		t.Errorf("the headers are %+v", h)
	}
	if got[1].Value != nil || string(got[1].Key) != "n02084071" {
		t.Errorf("the tombstone is %q: %q", got[1].Key, got[1].Value)
	}
	if got[2].Value == nil || len(got[2].Value) != 0 {
		t.Errorf("an empty value is %#v", got[2].Value)
	}
}

func offsets(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "numbered", 1, nil)
	p := producer(t, b.Addr, nil)
	var batch []*sarama.ProducerMessage
	for i := range 500 {
		batch = append(batch, record("numbered", 0, "k", strconv.Itoa(i)))
	}
	if err := p.SendMessages(batch); err != nil {
		t.Fatal(err)
	}
	c := open(t, b.Addr, "numbered", 0, 123, nil) // in the middle of a batch
	for want := int64(123); want < 500; want++ {
		if m := take(t, c); m.Offset != want || string(m.Value) != strconv.FormatInt(want, 10) {
			t.Fatalf("record %d is %d: %s", want, m.Offset, m.Value)
		}
	}
	if n := c.HighWaterMarkOffset(); n != 500 {
		t.Errorf("the high water mark is %d", n)
	}
	if n := end(t, b.Addr, "numbered", 0); n != 500 {
		t.Errorf("it ends at %d", n)
	}
}

func follow(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "followed", 1, nil)
	c := open(t, b.Addr, "followed", 0, 0, nil)
	p := producer(t, b.Addr, nil)
	for i := range int64(10) {
		send(t, p, record("followed", 0, "k", "v"))
		if m := take(t, c); m.Offset != i {
			t.Errorf("record %d is %d", i, m.Offset)
		}
	}
}

func outOfRange(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "short", 1, nil)
	all, err := sarama.NewConsumer([]string{b.Addr}, settings())
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if _, err := all.ConsumePartition("short", 0, 7); !errors.Is(err, sarama.ErrOffsetOutOfRange) {
		t.Errorf("%v", err)
	}
}

func tooLarge(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "small", 1, nil)
	p := producer(t, b.Addr, func(c *sarama.Config) { c.Producer.MaxMessageBytes = 4 << 20 })
	value := sarama.ByteEncoder(make([]byte, 2<<20))
	if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "small", Value: value}); !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		t.Errorf("%v", err)
	}
}

// fill writes records, one after the other, and returns how many were acknowledged.
func fill(t *testing.T, b *kafkatest.Broker, topic string, count int) {
	t.Helper()
	p := producer(t, b.Addr, nil)
	for i := range count {
		send(t, p, record(topic, 0, fmt.Sprint("key-", i), strconv.Itoa(i)))
	}
}

// whole checks that records 0 to count are there.
func whole(t *testing.T, b *kafkatest.Broker, topic string, count int) {
	t.Helper()
	for i, m := range consume(t, b.Addr, topic, 0, 0, count) {
		if m.Offset != int64(i) || string(m.Value) != strconv.Itoa(i) {
			t.Fatalf("record %d is %d: %s", i, m.Offset, m.Value)
		}
	}
}

func restart(t *testing.T, b *kafkatest.Broker) {
	policy := "compact"
	create(t, administer(t, b.Addr), "kept", 2, map[string]*string{"cleanup.policy": &policy})
	fill(t, b, "kept", 50)
	b.Stop()
	b.Start()
	whole(t, b, "kept", 50)
	entries, err := describe(administer(t, b.Addr), "kept", "cleanup.policy")
	if err != nil || len(entries) != 1 || entries[0].Value != policy {
		t.Errorf("%+v, %v", entries, err)
	}
}

func killed(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "survivor", 1, nil)
	const count = 200
	fill(t, b, "survivor", count)
	b.Kill()
	b.Start()
	whole(t, b, "survivor", count)
	if n := end(t, b.Addr, "survivor", 0); n != count {
		t.Errorf("it ends at %d", n)
	}
	if offset := send(t, producer(t, b.Addr, nil), record("survivor", 0, "k", "next")); offset != count {
		t.Errorf("the next record has the offset %d", offset)
	}
}

func paused(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "paused", 1, nil)
	p := producer(t, b.Addr, nil)
	send(t, p, record("paused", 0, "k", "0"))
	b.Pause()
	sent := make(chan error, 1)
	go func() {
		_, _, err := p.SendMessage(record("paused", 0, "k", "1"))
		sent <- err
	}()
	select {
	case err := <-sent:
		t.Errorf("a paused broker answers: %v", err)
		sent <- err
	case <-time.After(200 * time.Millisecond): // it has had time to, and cannot
	}
	b.Resume()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	whole(t, b, "paused", 2)
}

// A record may be there twice when the broker was killed while it was under way; none may be
// missing that was acknowledged, and the order is that of the writer.
func reconnect(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "again", 1, nil)
	p := producer(t, b.Addr, nil)
	const count, killAt = 60, 20
	for i := range count {
		if i == killAt {
			b.Kill()
			b.Launch()
		}
		send(t, p, record("again", 0, "k", strconv.Itoa(i)))
	}
	b.AwaitReady()
	next := 0
	for _, m := range consume(t, b.Addr, "again", 0, 0, int(end(t, b.Addr, "again", 0))) {
		n, _ := strconv.Atoi(string(m.Value))
		if n > next || n < next-1 {
			t.Fatalf("record %d follows %d", n, next-1)
		}
		next = n + 1
	}
	if next != count {
		t.Errorf("%d of %d records are there", next, count)
	}
}

func compact(t *testing.T, b *kafkatest.Broker) {
	policy, now, dirty := "compact", "100", "0.01"
	create(t, administer(t, b.Addr), "compacted", 1, map[string]*string{"cleanup.policy": &policy, "segment.ms": &now, "min.cleanable.dirty.ratio": &dirty})
	p, written := producer(t, b.Addr, nil), 0
	write := func() {
		send(t, p, record("compacted", 0, fmt.Sprint("key-", written%7), strconv.Itoa(written)))
		written++
	}
	for range 100 {
		write()
	}
	if b.Real { // a segment ends when something is written after its time, and is compacted then
		await.That(t, "the oldest record is gone", func() bool {
			write()
			return consume(t, b.Addr, "compacted", 0, 0, 1)[0].Offset > 0
		})
	}
	latest := map[string]string{}
	c := open(t, b.Addr, "compacted", 0, 0, nil) // from 0, whatever is gone
	for last := int64(written) - 1; ; {
		m := take(t, c)
		latest[string(m.Key)] = string(m.Value)
		if m.Offset == last {
			break
		}
	}
	for i := written - 7; i < written; i++ {
		if got := latest[fmt.Sprint("key-", i%7)]; got != strconv.Itoa(i) {
			t.Errorf("key-%d is %s, want %d", i%7, got, i)
		}
	}
}

func transaction(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "ledger", 1, nil)
	p := producer(t, b.Addr, func(c *sarama.Config) { c.Producer.Transaction.ID = "ledger-1" })
	for _, how := range []struct {
		value string
		end   func() error
	}{{"aborted", p.AbortTxn}, {"committed", p.CommitTxn}} {
		if err := p.BeginTxn(); err != nil {
			t.Fatal(err)
		}
		send(t, p, record("ledger", 0, "k", how.value))
		if err := how.end(); err != nil {
			t.Fatal(err)
		}
	}
	c := open(t, b.Addr, "ledger", 0, 0, func(c *sarama.Config) { c.Consumer.IsolationLevel = sarama.ReadCommitted })
	if m := take(t, c); string(m.Value) != "committed" {
		t.Errorf("%s is read", m.Value)
	}
}

func group(t *testing.T, b *kafkatest.Broker) {
	create(t, administer(t, b.Addr), "shared", 2, nil)
	p := producer(t, b.Addr, nil)
	for i := range 4 {
		send(t, p, record("shared", int32(i%2), "k", strconv.Itoa(i)))
	}
	read := func(count int) map[string]int {
		config := settings()
		config.Consumer.Offsets.Initial = sarama.OffsetOldest
		g, err := sarama.NewConsumerGroup([]string{b.Addr}, "readers", config)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		return members(t, g, count)
	}
	if got := read(4); len(got) != 4 {
		t.Errorf("first %v", got)
	}
	send(t, p, record("shared", 0, "k", "4"))
	if got := read(1); len(got) != 1 || got["4"] != 1 {
		t.Errorf("then %v", got)
	}
}
