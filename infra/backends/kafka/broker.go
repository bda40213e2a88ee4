package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker is the cluster of one broker, with what bounds it.
type broker struct {
	cluster   *kfake.Cluster
	door      *door
	dir       string
	temporary bool // nothing of dir need be kept
	maxSize   int64
	size      atomic.Int64  // of all that is in dir, as it was measured last
	asking    chan struct{} // of capacity 1: one question for its health at a time
}

// forever is kept by those brokers that delete nothing by age.
const forever = "-1"

// openBroker reads the data there are and opens the broker. It accepts what comes through its door.
func openBroker(cfg Config, advertised string, log *slog.Logger) (*broker, error) {
	b := &broker{dir: cfg.DataDir, maxSize: int64(cfg.MaxSize), door: newDoor(advertised), asking: make(chan struct{}, 1)}
	if b.dir == "" {
		var err error
		if b.dir, err = os.MkdirTemp("", "kafka-"); err != nil {
			return nil, fmt.Errorf("make directory: %w", err)
		}
		b.temporary = true
	} else if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, fmt.Errorf("KAFKA_DATA_DIR: %w", err)
	}
	if err := recoverProducers(b.dir); err != nil {
		return nil, errors.Join(fmt.Errorf("KAFKA_DATA_DIR: %w", err), b.remove())
	}
	var err error
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("flotilla"),
		kfake.DataDir(b.dir),
		kfake.WithLogger(logger{log}),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return b.door, nil }),
		// kfake lets age delete from a compacted topic too, and moves the start of a log when it
		// compacts it. Neither may happen to a log that is the truth, so it does neither: the log
		// keeps everything, up to KAFKA_MAX_SIZE.
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": forever, "log.cleaner.backoff.ms": "9000000000000"}),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open broker: %w", err), b.remove())
	}
	b.bound(cfg)
	if err := b.look(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// bound makes the broker refuse what would take more room than there is.
func (b *broker) bound(cfg Config) {
	b.cluster.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.KafkaStorageError, Count: -1, When: func(kmsg.Request) bool { return b.full() }},
		kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics, kmsg.CreatePartitions}, Err: kerr.InvalidPartitions, Count: -1, When: func(r kmsg.Request) bool {
			return partitions(r) > cfg.MaxPartitions
		}},
	)
}

// partitions is how many partitions a request wants for a topic; the most of any of its topics.
func partitions(r kmsg.Request) int {
	most := 0
	switch r := r.(type) {
	case *kmsg.CreateTopicsRequest:
		for _, t := range r.Topics {
			most = max(most, int(t.NumPartitions), len(t.ReplicaAssignment))
		}
	case *kmsg.CreatePartitionsRequest:
		for _, t := range r.Topics {
			most = max(most, int(t.Count))
		}
	}
	return most
}

// answers tells whether the broker's one loop, through which everything goes, turns.
func (b *broker) answers(ctx context.Context) error {
	select {
	case b.asking <- struct{}{}:
	case <-ctx.Done():
		return errors.New("the broker does not answer")
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		b.cluster.ListenAddrs()
		<-b.asking
	}()
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return errors.New("the broker does not answer")
	}
}

// close ends the broker: what it knows besides the logs is written down.
func (b *broker) close() error {
	b.asking <- struct{}{} // a question that nobody would answer any more
	b.cluster.Close()
	return b.remove()
}

func (b *broker) remove() error {
	if !b.temporary {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// A door is the listener of the broker: connections come by it that the server has let in.
type door struct {
	address address
	conns   chan net.Conn
	once    sync.Once
	shut    chan struct{}
}

// address is the advertised address; kfake tells clients that of its listener.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

func newDoor(advertised string) *door {
	return &door{address: address(advertised), conns: make(chan net.Conn), shut: make(chan struct{})}
}

// Accept returns the next connection.
func (d *door) Accept() (net.Conn, error) {
	select {
	case conn := <-d.conns:
		return conn, nil
	case <-d.shut:
		return nil, net.ErrClosed
	}
}

// enter hands a connection over, unless the door is shut or ctx ends.
func (d *door) enter(ctx context.Context, conn net.Conn) bool {
	select {
	case d.conns <- conn:
		return true
	case <-d.shut:
	case <-ctx.Done():
	}
	return false
}

// Close shuts the door.
func (d *door) Close() error {
	d.once.Do(func() { close(d.shut) })
	return nil
}

// Addr is the address that clients are told.
func (d *door) Addr() net.Addr { return d.address }
