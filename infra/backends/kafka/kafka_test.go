package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/kafkatest"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { kafkatest.Main(m) }

// start runs the program as its main would, and stops it with the test.
func start(t *testing.T, environ map[string]string) *processtest.Running {
	t.Helper()
	cfg := processtest.Parse[Config](t, Program, environ)
	return processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
}

func metrics(t *testing.T, r *processtest.Running) string {
	t.Helper()
	_, body := processtest.Get(t, "http://"+r.Admin+"/metrics")
	return body
}

func TestItIsReadyAndCounts(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	if resp, body := processtest.Get(t, "http://"+r.Admin+"/readyz"); resp.StatusCode != http.StatusOK {
		t.Errorf("not ready: %s", body)
	}
	admin := administer(t, r.Data)
	create(t, admin, "counted", 1, nil)
	if body := metrics(t, r); strings.Contains(body, "kafka_clients 0\n") { // sarama keeps one or two
		t.Error("the client is not counted")
	}
	await.That(t, "the size is measured", func() bool { return !strings.Contains(metrics(t, r), "kafka_data_bytes 0\n") })
}

func TestATemporaryFolderGoesWithTheProcess(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	r := start(t, nil)
	create(t, administer(t, r.Data), "fleeting", 1, nil)
	if all, _ := filepath.Glob(filepath.Join(dir, "kafka-*")); len(all) != 1 {
		t.Fatalf("there are %v", all)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if all, _ := filepath.Glob(filepath.Join(dir, "kafka-*")); len(all) != 0 {
		t.Errorf("left behind: %v", all)
	}
}

func TestAFullBrokerRefusesRecordsAndServesReads(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"KAFKA_MAX_SIZE": "1MiB"})
	create(t, administer(t, r.Data), "full", 1, nil)
	p := producer(t, r.Data, func(c *sarama.Config) { c.Producer.Retry.Max = 0; c.Producer.Idempotent = false })
	value := sarama.ByteEncoder(bytes.Repeat([]byte("x"), 100<<10))
	last := int64(-1)
	await.That(t, "the broker was full", func() bool {
		_, offset, err := p.SendMessage(&sarama.ProducerMessage{Topic: "full", Value: value})
		if err == nil {
			last = offset
			return false
		}
		if !errors.Is(err, sarama.ErrKafkaStorageError) {
			t.Fatalf("it refuses with %v", err)
		}
		return true
	})
	if got := consume(t, r.Data, "full", 0, 0, int(last)+1); len(got) != int(last)+1 {
		t.Errorf("%d records are read", len(got))
	}
	if err := administer(t, r.Data).DeleteTopic("full"); err != nil {
		t.Fatalf("room cannot be made: %v", err)
	}
	create(t, administer(t, r.Data), "room", 1, nil)
	await.Seen(t, "there is room again", func() (any, bool) {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "room", Value: value})
		return err, err == nil
	})
}

func TestTooManyPartitionsAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"KAFKA_MAX_PARTITIONS": "4"})
	admin := administer(t, r.Data)
	detail := func(n int32) *sarama.TopicDetail {
		return &sarama.TopicDetail{NumPartitions: n, ReplicationFactor: 1}
	}
	if err := admin.CreateTopic("many", detail(5), false); !errors.Is(err, sarama.ErrInvalidPartitions) {
		t.Errorf("five: %v", err)
	}
	if err := admin.CreateTopic("many", detail(4), false); err != nil {
		t.Errorf("four: %v", err)
	}
	if err := admin.CreatePartitions("many", 5, nil, false); !errors.Is(err, sarama.ErrInvalidPartitions) {
		t.Errorf("four and one: %v", err)
	}
}

// unstarted is a server that nobody serves yet.
func unstarted(t *testing.T, cfg Config) *server {
	t.Helper()
	cfg.MaxClients, cfg.MaxRequest, cfg.MaxSize, cfg.MaxPartitions = 10, 1<<20, 1<<30, 10
	log := slog.New(slog.DiscardHandler)
	b, err := openBroker(cfg, "127.0.0.1:1", log)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(cfg, b, prometheus.NewRegistry(), log)
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	return s
}

func TestAStrangerIsTurnedAway(t *testing.T) {
	t.Parallel()
	for protected, want := range map[process.Switch]float64{true: 1, false: 0} {
		near, far := net.Pipe() // its address is nobody's
		s := unstarted(t, Config{Protected: protected})
		ended := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer close(ended)
			defer near.Close()
			s.hand(ctx, near)
		}()
		_ = far.SetDeadline(time.Now().Add(10 * time.Second))
		_, err := far.Write(versions)
		if !protected && err == nil {
			_, err = io.ReadFull(far, make([]byte, 8))
		}
		if (err != nil) != bool(protected) {
			t.Errorf("protected %v: %v", protected, err)
		}
		cancel()
		<-ended
		far.Close()
		if n := testutil.ToFloat64(s.refused.WithLabelValues("protected")); n != want {
			t.Errorf("protected %v: %v were refused", protected, n)
		}
	}
}

// versions is a request for the versions of the protocol that a broker knows.
var versions = []byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff}

// framed is a request of a kind with a body.
func framed(kind uint16, body string) []byte {
	p := binary.BigEndian.AppendUint32(nil, uint32(2+len(body)))
	return append(binary.BigEndian.AppendUint16(p, kind), body...)
}

func TestGarbageEndsItsConnectionAlone(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"KAFKA_MAX_REQUEST": "1KiB"})
	for name, garbage := range map[string][]byte{
		"text":            []byte("GET / HTTP/1.1\r\nHost: kafka\r\n\r\n"),
		"an unknown kind": framed(999, "\x00\x00\x00\x00\x00\x01\x00\x00"),
		"a negative kind": framed(0xffff, "\x00\x00\x00\x00\x00\x01\x00\x00"),
		"too long":        framed(18, strings.Repeat("x", 2000)),
		"too short":       framed(18, "x"),
		"no metadata":     framed(3, strings.Repeat("\xff", 100)),
		"no records":      framed(0, "\x00\x09\x00\x00\x00\x01"+strings.Repeat("\xff", 100)),
	} {
		conn, err := net.Dial("tcp", r.Data)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Write(garbage); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays, after %d bytes", name, n)
		}
		conn.Close()
	}
	create(t, administer(t, r.Data), "after", 1, nil)
	if !strings.Contains(metrics(t, r), `kafka_refused_total{reason="protocol"} 5`) {
		t.Error("what the guard refuses is not counted")
	}
}

func TestTooManyClientsAreTurnedAway(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"KAFKA_MAX_CLIENTS": "1"})
	first, err := net.Dial("tcp", r.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := first.Write(versions); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, make([]byte, 8)); err != nil {
		t.Fatalf("the first client: %v", err)
	}
	second, err := net.Dial("tcp", r.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	_ = second.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := second.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the second client: %v", err)
	}
}

func TestClientsAreToldTheAddressThatTheyCanReach(t *testing.T) {
	t.Parallel()
	listener := &net.TCPAddr{IP: net.IPv6zero, Port: 9192}
	for advertised, want := range map[string]string{"": "127.0.0.1:9192", "kafka.example:19092": "kafka.example:19092"} {
		if got := (Config{Advertised: advertised}).advertised(listener); got != want {
			t.Errorf("%q: %s, want %s", advertised, got, want)
		}
	}
	if got := (Config{}).advertised(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 1}); got != "127.0.0.2:1" {
		t.Errorf("one address: %s", got)
	}
}

func TestABrokerThatDoesNotAnswerIsNotReady(t *testing.T) {
	t.Parallel()
	s := unstarted(t, Config{})
	if err := s.broker.answers(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.broker.asking <- struct{}{} // an answer that does not come
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.broker.answers(ctx); err == nil {
		t.Error("it is ready")
	}
	<-s.broker.asking
}

func TestAFolderThatIsGoneEndsTheProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	r := start(t, map[string]string{"KAFKA_DATA_DIR": dir})
	processtest.Get(t, "http://"+r.Admin+"/readyz") // it has begun to write there
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.Ended:
	case <-time.After(await.Limit):
		t.Fatal("it does not end")
	}
	if err := r.Wait(); err == nil || !strings.Contains(err.Error(), "measure the data") {
		t.Errorf("it ended with %v", err)
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{"KAFKA_ADVERTISED": "kafka", "KAFKA_MAX_SIZE": "1KiB", "KAFKA_MAX_PARTITIONS": "0", "KAFKA_MAX_REQUEST": "1B", "KAFKA_MAX_CLIENTS": "0"}
	cfg, err := process.Parse[Config](Program, wrong)
	if err != nil {
		t.Fatal(err)
	}
	err = Run(context.Background(), cfg)
	for name := range wrong {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}
