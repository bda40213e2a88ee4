package doclog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/kafkatest"
	"github.com/flotilla-dev/flotilla/services/search/document"
)

// connect opens a cluster whose requests wait for no longer than a test has to.
func connect(t *testing.T, addr, topic string) *Cluster {
	t.Helper()
	c, err := Open(Options{Brokers: []string{addr}, Topic: topic, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the test is over
	return c
}

// create connects to a topic that there is afterwards.
func create(t *testing.T, b *kafkatest.Broker, topic string, partitions int32) *Cluster {
	t.Helper()
	c := connect(t, b.Addr, topic)
	if err := c.Await(patience(t), partitions, true); err != nil {
		t.Fatal(err)
	}
	return c
}

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
	t.Cleanup(cancel)
	return ctx
}

func writer(t *testing.T, c *Cluster, partitions int32) *Writer {
	t.Helper()
	w := NewWriter(c, partitions)
	t.Cleanup(w.Close)
	return w
}

func doc(id string) Record {
	return Put(document.Document{ID: id, Title: "title of " + id, Text: "text"})
}

// read follows a partition to the end that it has now.
func read(t *testing.T, c *Cluster, partition int32, from int64) (all []Record, next int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(patience(t))
	defer cancel()
	end := int64(-1)
	f := &Follower{Cluster: c, Partition: partition, From: from, Handle: func(_ context.Context, b Batch) error {
		if end < 0 {
			end = b.End
		}
		all, next = append(all, b.Records...), b.Next
		if next >= end {
			cancel()
		}
		return nil
	}}
	if err := f.Follow(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the partition cannot be read: %v", err)
	}
	return all, next
}

func TestATopicIsMadeOnceAndHasTheWantedPartitions(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		c := create(t, b, "documents", 3)
		if err := c.Create(3); err != nil {
			t.Errorf("a second time: %v", err)
		}
		var other *Partitions
		if err := c.Create(4); !errors.As(err, &other) || other.Have != 3 || other.Want != 4 {
			t.Errorf("with another number of partitions: %v", err)
		}
		if err := c.Verify(2); !errors.As(err, &other) {
			t.Errorf("verified with another number of partitions: %v", err)
		}
		if err := connect(t, b.Addr, "missing").Verify(3); err == nil || errors.As(err, &other) {
			t.Errorf("a topic that is not there: %v", err)
		}
		retention, err := c.DeleteRetention()
		if err != nil || retention != 24*time.Hour {
			t.Errorf("deletions stay for %s, %v; want Kafka's default of a day", retention, err)
		}
		if id, err := c.Identity(); err != nil || id == "" {
			t.Errorf("the topic has identity %q, %v", id, err)
		}
	})
}

func TestRecordsAreWhereTheWriterSays(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		c := create(t, b, "documents", 2)
		w := writer(t, c, 2)
		want := map[int32]map[int64]string{0: {}, 1: {}}
		var placed []Placed
		for i := range 1200 { // more than one request has
			placed = append(placed, Placed{doc("d" + strconv.Itoa(i)), int32(i % 2)})
		}
		for i, r := range w.Write(patience(t), placed...) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			want[r.Partition][r.Offset] = placed[i].ID
		}
		if offset, err := w.One(patience(t), 1, Delete("d1")); err != nil || offset != 600 {
			t.Errorf("the deletion is at %d, %v; want 600", offset, err)
		}
		for _, r := range w.Mark(patience(t), "all") {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		for p := range int32(2) {
			got, _ := read(t, c, p, 0)
			for _, r := range got[:600] {
				if want[p][r.Offset] != r.ID || r.Document == nil || r.Document.Title != "title of "+r.ID {
					t.Fatalf("partition %d has %+v at %d, want %s", p, r, r.Offset, want[p][r.Offset])
				}
			}
			rest := got[600:]
			if p == 1 && (rest[0].ID != "d1" || rest[0].Document != nil) {
				t.Errorf("in place of the deletion there is %+v", rest[0])
			}
			if last := rest[len(rest)-1]; last.Kind != Mark || last.ID != "all" {
				t.Errorf("in place of the mark there is %+v", last)
			}
		}
	})
}

func TestEveryAcknowledgedRecordIsInTheLogOnceWhileTheBrokerIsKilled(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		c := create(t, b, "documents", 2)
		w := writer(t, c, 2)
		acked := hammer(t, w, 4, func(progress func(int)) {
			for range 3 {
				progress(200)
				b.Kill()
				b.Start()
			}
			progress(200)
		})
		audit(t, c, acked)
	})
}

func TestEveryAcknowledgedRecordIsInTheLogOnceThoughAnswersAreLost(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		c := create(t, b, "documents", 2)
		w := writer(t, c, 2)
		acked := hammer(t, w, 4, func(progress func(int)) {
			for range 3 {
				progress(100)
				b.Pause()
				await.That(t, "a write is given up", func() bool {
					ctx, cancel := context.WithTimeout(patience(t), 10*time.Second)
					defer cancel()
					_, err := w.One(ctx, 0, doc("while-paused"))
					return err != nil
				})
				b.Resume()
			}
			progress(100)
		})
		audit(t, c, acked)
	})
}

// hammer writes from several goroutines until what happens is over, and returns what was acknowledged: partition, offset and id.
func hammer(t *testing.T, w *Writer, writers int, happens func(progress func(int))) map[string]Result {
	t.Helper()
	ctx, stop := context.WithCancel(patience(t))
	defer stop()
	var (
		mu    sync.Mutex
		acked = map[string]Result{}
		kinds = map[string]int{}
		wg    sync.WaitGroup
	)
	for n := range writers {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("w%d-%d", n, i)
				partition := int32((n + i) % 2)
				offset, err := w.One(context.WithoutCancel(ctx), partition, doc(id))
				mu.Lock()
				var refused *Refused
				var unknown *Unknown
				switch {
				case err == nil:
					acked[id] = Result{Partition: partition, Offset: offset}
					kinds["acknowledged"]++
				case errors.As(err, &refused):
					kinds["refused"]++
				case errors.As(err, &unknown):
					kinds["unknown"]++
				default:
					t.Errorf("an error that is neither: %v", err)
				}
				mu.Unlock()
			}
		})
	}
	happens(func(more int) {
		mu.Lock()
		from := len(acked)
		mu.Unlock()
		await.Seen(t, "writes get through", func() (any, bool) {
			mu.Lock()
			defer mu.Unlock()
			return fmt.Sprint(len(acked), kinds), len(acked) >= from+more
		})
	})
	stop()
	wg.Wait()
	t.Logf("%v", kinds)
	return acked
}

// audit looks for every acknowledged record at its offset, and for none twice.
func audit(t *testing.T, c *Cluster, acked map[string]Result) {
	t.Helper()
	found := map[string]int{}
	for p := range int32(2) {
		all, _ := read(t, c, p, 0)
		for _, r := range all {
			want, known := acked[r.ID]
			if !known {
				continue // its end was not known to who wrote it
			}
			found[r.ID]++
			if want.Partition != p || want.Offset != r.Offset {
				t.Errorf("%s is at %d of partition %d, acknowledged was %d of %d", r.ID, r.Offset, p, want.Offset, want.Partition)
			}
		}
	}
	for id := range acked {
		if found[id] != 1 {
			t.Errorf("%s was acknowledged, and is there %d times", id, found[id])
		}
	}
}

func TestWritesAreRefusedAtOnceWhileTheBrokerIsGoneAndThenTakenAgain(t *testing.T) {
	b := kafkatest.Embedded(t)
	c := create(t, b, "documents", 1)
	w := writer(t, c, 1)
	if _, err := w.One(patience(t), 0, doc("before")); err != nil {
		t.Fatal(err)
	}
	b.Kill()
	var refused *Refused
	var unknown *Unknown
	if _, err := w.One(patience(t), 0, doc("first")); !errors.As(err, &refused) && !errors.As(err, &unknown) {
		t.Fatalf("the first write to a dead broker: %v", err)
	}
	away := 0
	for i := range 20_000 { // a queue that grew would take 2048
		_, err := w.One(patience(t), 0, doc("more-"+strconv.Itoa(i)))
		if !errors.As(err, &refused) {
			t.Fatalf("write %d to a dead broker: %v", i, err)
		}
		if errors.Is(err, ErrAway) {
			away++
		}
	}
	if away < 19_000 {
		t.Errorf("%d of 20000 writes were refused at once", away)
	}
	b.Start()
	await.That(t, "writes are taken again", func() bool {
		_, err := w.One(patience(t), 0, doc("after"))
		return err == nil
	})
}

func TestACallerWhoseTimeIsOverKnowsWhetherTheRecordWasSent(t *testing.T) {
	b := kafkatest.Embedded(t)
	c := create(t, b, "documents", 1)
	w := writer(t, c, 1)
	if _, err := w.One(patience(t), 0, doc("before")); err != nil {
		t.Fatal(err)
	}
	b.Pause()
	defer b.Resume()
	sent := make(chan error, 1)
	ctx, cancel := context.WithCancel(patience(t))
	one, err := w.lanes[0].enqueue(ctx, encoded(t, doc("sent"))[0])
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := one.await(ctx)
		sent <- err
	}()
	await.That(t, "the record is on its way", func() bool {
		one.mu.Lock()
		defer one.mu.Unlock()
		return one.taken
	})
	behind, leave := context.WithCancel(patience(t))
	queuedUp := make(chan error, 1)
	go func() {
		_, err := w.One(behind, 0, doc("behind"))
		queuedUp <- err
	}()
	await.That(t, "a record waits behind it, or is refused with it", func() bool { return len(w.lanes[0].queue) == 1 || len(queuedUp) == 1 })
	leave()
	var refused *Refused
	if err := <-queuedUp; !errors.As(err, &refused) {
		t.Errorf("the record in the queue: %v, want that it was refused", err)
	}
	cancel()
	var unknown *Unknown
	if err := <-sent; !errors.As(err, &unknown) {
		t.Errorf("the record that was sent: %v, want that its end is unknown", err)
	}
	b.Resume()
	await.That(t, "writes are taken again", func() bool {
		_, err := w.One(patience(t), 0, doc("after"))
		return err == nil
	})
	all, _ := read(t, c, 0, 0)
	for _, r := range all {
		if r.ID == "behind" {
			t.Error("a record that was refused is in the log")
		}
	}
}

func TestAProducerThatTheBrokerDoesNotKnowBeginsAnew(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		c := create(t, b, "documents", 1)
		w := writer(t, c, 1)
		for i := range 3 {
			if _, err := w.One(patience(t), 0, doc("a"+strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
		id := w.lanes[0].producer.id
		w.lanes[0].producer.next += 7 // as if the broker had lost what it knew
		offset, err := w.One(patience(t), 0, doc("b"))
		if err != nil || offset != 3 {
			t.Errorf("after a gap in the sequence: %d, %v", offset, err)
		}
		if w.lanes[0].producer.id == id {
			t.Error("the producer has kept its identity")
		}
	})
}

func TestARequestThatWasGivenUpIsNotWrittenBehindTheNext(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		c := create(t, b, "documents", 1)
		p := &producer{}
		batch := func(id string) []*sarama.Record {
			r, err := encode(doc(id))
			if err != nil {
				t.Fatal(err)
			}
			return []*sarama.Record{r}
		}
		if _, err := p.produce(patience(t), c, 0, batch("a")); err != nil {
			t.Fatal(err)
		}
		late := &attempts{producer: p, cluster: c, records: batch("late"), sent: true}
		request := late.request() // made, and slow on its way
		var unknown *Unknown
		if err := late.giveUp(errNoAnswer); !errors.As(err, &unknown) {
			t.Fatal(err)
		}
		if offset, err := p.produce(patience(t), c, 0, batch("b")); err != nil || offset != 1 {
			t.Fatalf("the next batch: %d, %v", offset, err)
		}
		broker, err := c.leader(0)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := exchange(patience(t), broker, request)
		if err != nil {
			t.Fatal(err)
		}
		if code := answer.GetBlock("documents", 0).Err; code == sarama.ErrNoError {
			t.Errorf("a request of an epoch that was over is written")
		}
	})
}

func TestAFollowerGoesOnWhereItWasWhileTheBrokerIsKilledAndPaused(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		c := create(t, b, "documents", 2)
		w := writer(t, c, 2)
		var mu sync.Mutex
		var seen []Record
		var states []bool // reached, or not
		ctx, stop := context.WithCancel(patience(t))
		f := &Follower{Cluster: connect(t, b.Addr, "documents"), Partition: 0, Handle: func(_ context.Context, batch Batch) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, batch.Records...)
			return nil
		}, Away: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, err == nil)
		}}
		done := make(chan error, 1)
		go func() { done <- f.Follow(ctx) }()
		told := func(n int) {
			t.Helper()
			await.That(t, "the follower tells that the broker is gone or back", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(states) >= n
			})
		}
		acked := hammer(t, w, 2, func(progress func(int)) {
			progress(100)
			b.Kill()
			told(1)
			b.Start()
			told(2)
			progress(100)
			b.Pause()
			told(3)
			b.Resume()
			told(4)
			progress(100)
		})
		all, _ := read(t, c, 0, 0)
		await.Seen(t, "the follower has everything", func() (any, bool) {
			mu.Lock()
			defer mu.Unlock()
			return len(seen), len(seen) >= len(all)
		})
		stop()
		<-done
		for i, r := range all {
			if seen[i].Offset != r.Offset || seen[i].ID != r.ID {
				t.Fatalf("record %d is %d %s, want %d %s", i, seen[i].Offset, seen[i].ID, r.Offset, r.ID)
			}
		}
		if len(seen) != len(all) || len(all) == 0 || len(acked) == 0 {
			t.Errorf("%d records were seen, there are %d", len(seen), len(all))
		}
	})
}

func TestAFollowerIsToldThatTheLogHasLostWhatItWants(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		c := create(t, b, "documents", 1)
		w := writer(t, c, 1)
		for i := range 5 {
			if _, err := w.One(patience(t), 0, doc(strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
		follow := func(from int64, identity string) error {
			f := &Follower{Cluster: c, From: from, Identity: identity, Handle: func(context.Context, Batch) error { return errors.New("a batch") }}
			return f.Follow(patience(t))
		}
		var gone *Gone
		if err := follow(9, ""); !errors.As(err, &gone) || gone.Next != 9 || gone.Oldest != 0 || gone.Newest != 5 {
			t.Errorf("behind the end: %v", err)
		}
		if err := follow(0, "another"); !errors.As(err, &gone) || !gone.Recreated {
			t.Errorf("of another topic: %v", err)
		}
		admin, err := c.admin()
		if err != nil {
			t.Fatal(err)
		}
		if !b.Real { // Apache Kafka deletes no records of a topic that is compacted only
			if err := admin.DeleteRecords("documents", map[int32]int64{0: 3}); err != nil {
				t.Fatal(err)
			}
			if err := follow(1, ""); !errors.As(err, &gone) || gone.Oldest != 3 {
				t.Errorf("before the beginning: %v", err)
			}
			if oldest, err := c.Oldest(0); err != nil || oldest != 3 {
				t.Errorf("the partition begins at %d, %v", oldest, err)
			}
			if err := follow(3, ""); err == nil || errors.As(err, &gone) {
				t.Errorf("what is there: %v", err)
			}
		}
		before, _ := c.Identity()
		if err := admin.DeleteTopic("documents"); err != nil {
			t.Fatal(err)
		}
		if err := c.Await(patience(t), 1, true); err != nil {
			t.Fatal(err)
		}
		if err := follow(0, before); !errors.As(err, &gone) || !gone.Recreated {
			t.Errorf("of a topic that was made anew: %v", err)
		}
	})
}

func TestAFollowerSkipsWhatItDoesNotKnowAndSaysSo(t *testing.T) {
	b := kafkatest.Embedded(t)
	c := create(t, b, "documents", 1)
	p := &producer{}
	records := []*sarama.Record{
		{Key: []byte("a"), Value: []byte(`{"id":"a"}`)},
		{Key: []byte("b"), Value: []byte("image"), Headers: []*sarama.RecordHeader{{Key: []byte("kind"), Value: []byte("image")}}},
		{Key: []byte("c"), Value: []byte("garbage")},
		{Key: []byte("d"), Value: []byte(`{"id":"d"}`)},
		{Key: []byte("e"), Value: []byte("garbage, last of all")},
	}
	if _, err := p.produce(patience(t), c, 0, records); err != nil {
		t.Fatal(err)
	}
	skipped := map[int64]string{}
	var ids []string
	var next int64
	ctx, cancel := context.WithCancel(patience(t))
	f := &Follower{Cluster: c, Skipped: func(offset int64, why string) { skipped[offset] = why }, Handle: func(_ context.Context, b Batch) error {
		for _, r := range b.Records {
			ids = append(ids, r.ID)
		}
		if next = b.Next; next >= b.End {
			cancel()
		}
		return nil
	}}
	_ = f.Follow(ctx) // ends with its context
	if fmt.Sprint(ids) != "[a d]" || next != 5 {
		t.Errorf("read %v up to %d", ids, next)
	}
	if fmt.Sprint(skipped) != "map[1:kind 2:invalid 4:invalid]" {
		t.Errorf("skipped %v", skipped)
	}
}

func TestAnAnswerWithoutRecordsIsPassed(t *testing.T) {
	f := &Follower{From: 7, empty: -1, amount: fetchBytes}
	for end := int64(9); ; end++ { // the partition grows meanwhile
		batch := Batch{Next: 7, End: end}
		f.pass(&batch)
		if f.From = batch.Next; f.From != 7 {
			break
		}
		if end > 20 {
			t.Fatal("the follower asks for ever")
		}
	}
	if f.From != 9 || f.amount != fetchBytes {
		t.Errorf("goes on at %d by %d bytes; want 9, where the partition ended first", f.From, f.amount)
	}
	batch := Batch{Next: 9, End: 9}
	f.pass(&batch)
	if batch.Next != 9 || f.amount != fetchBytes {
		t.Errorf("at the end: %+v, %d bytes", batch, f.amount)
	}
}

func TestATraceGoesWithTheRecord(t *testing.T) {
	r := &sarama.Record{}
	otel.SetTextMapPropagator(propagation.TraceContext{})
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, SpanID: trace.SpanID{1, 2, 3, 4, 5, 6, 7, 8}, TraceFlags: trace.FlagsSampled,
	})
	withTrace(trace.ContextWithSpanContext(t.Context(), span), r)
	if len(r.Headers) != 1 || string(r.Headers[0].Key) != "traceparent" || string(r.Headers[0].Value) != "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01" {
		t.Errorf("%v", r.Headers)
	}
	r = &sarama.Record{}
	withTrace(t.Context(), r)
	if len(r.Headers) != 0 {
		t.Errorf("without a trace: %v", r.Headers)
	}
}

func TestAnAnswerThatIsCutOffIsAskedForAgainWithTheSameSequence(t *testing.T) {
	b := kafkatest.Embedded(t)
	c := create(t, b, "documents", 1)
	w := writer(t, c, 1)
	if _, err := w.One(patience(t), 0, doc("before")); err != nil {
		t.Fatal(err)
	}
	a := &attempts{producer: &w.lanes[0].producer, cluster: c, records: encoded(t, doc("twice"))}
	broker, err := c.leader(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exchange(patience(t), broker, a.request()); err != nil { // written, and its answer is lost
		t.Fatal(err)
	}
	offset, err := w.lanes[0].producer.produce(patience(t), c, 0, a.records)
	if err != nil || offset != 1 {
		t.Errorf("asked again: %d, %v; want the offset of the first time, 1", offset, err)
	}
	if all, _ := read(t, c, 0, 0); len(all) != 2 {
		t.Errorf("there are %d records, want 2", len(all))
	}
}

func encoded(t *testing.T, r Record) []*sarama.Record {
	t.Helper()
	e, err := encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return []*sarama.Record{e}
}
