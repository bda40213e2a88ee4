package search

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

// A logbook writes to the log of a topic.
type logbook struct {
	cluster *doclog.Cluster
	writer  *doclog.Writer
	shards  int32
	log     *slog.Logger

	mu       sync.Mutex // guards all below
	verified bool
	looked   time.Time
	problem  error
}

func openLogbook(cfg *Config, topic string, shards int, log *slog.Logger) (*logbook, error) {
	cluster, err := doclog.Open(doclog.Options{Brokers: cfg.Kafka, Topic: topic, Client: Program.Name, Log: log})
	if err != nil {
		return nil, err
	}
	return &logbook{cluster: cluster, writer: doclog.NewWriter(cluster, int32(shards)), shards: int32(shards), log: log}, nil
}

func (l *logbook) close() {
	l.writer.Close()
	if err := l.cluster.Close(); err != nil {
		l.log.Warn("log not closed properly", "error", err)
	}
}

// again is how long a failure to verify the topic is believed, so that writes do not queue for brokers that are away.
const again = time.Second

// verify makes sure that the topic has a partition for each shard, once: what was placed elsewhere would not be found.
func (l *logbook) verify() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.verified {
		return nil
	}
	if l.problem != nil && time.Since(l.looked) < again {
		return l.problem
	}
	err := l.cluster.Verify(l.shards)
	var partitions *doclog.Partitions
	switch {
	case err == nil:
		l.verified, l.problem = true, nil
		return nil
	case errors.As(err, &partitions):
		l.log.Error("the layout and the log do not fit together: nothing is written", "error", err)
	}
	l.problem, l.looked = &doclog.Refused{Cause: err}, time.Now()
	return l.problem
}
