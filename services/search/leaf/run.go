package leaf

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/health"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/search/bulkhead"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/query"
)

// leaf is a replica of a shard.
type leaf struct {
	cfg      Config
	log      *slog.Logger
	cluster  *doclog.Cluster
	bulkhead *bulkhead.Bulkhead
	metrics  *metrics
	caught   *health.Gate
	memory   *health.Gate
	woken    chan struct{}
	answers  atomic.Bool // all that the log had at the start is applied

	mu           sync.Mutex // guards all below
	current      *shard
	identityNow  string    // of the topic that current is made from
	end          int64     // of the partition, when it was last seen; -1: never
	endSeen      time.Time // when current was at the end of the partition last
	away         time.Time // since when the log is not reached; zero: it is
	changes      int       // since the last snapshot
	snapshot     int64     // epoch of the snapshot on disk; -1: there is none
	snapshotTime time.Time // when that was the end of the partition
}

// Run is a leaf until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	if cfg.Dir != "" {
		if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
			return fmt.Errorf("make the folder of the snapshot: %w", err)
		}
	}
	p, err := process.Open(ctx, Program, cfg.Contract, cfg)
	if err != nil {
		return err
	}
	cluster, err := doclog.Open(doclog.Options{Brokers: cfg.Kafka, Topic: cfg.Topic, Client: Program.Name + "-" + p.Instance, Timeout: cfg.Timeout, Log: p.Log})
	if err != nil {
		p.Close()
		return err
	}
	defer cluster.Close()
	l := newLeaf(cfg, p, cluster)
	p.Go("follow the log", l.follow)
	if cfg.Dir != "" {
		p.Go("keep snapshots", func(ctx context.Context) error { l.keep(ctx); return nil })
	}
	e := api.New(p)
	l.routes(e)
	p.Serve(api.Server(e))
	return p.Run(ctx)
}

func newLeaf(cfg Config, p *process.Process, cluster *doclog.Cluster) *leaf {
	l := &leaf{cfg: cfg, log: p.Log, cluster: cluster, bulkhead: bulkhead.New(cfg.slots(), places), woken: make(chan struct{}, 1), end: -1, snapshot: -1}
	l.current = l.newShard()
	l.caught = p.Health.Gate("log", "what the log had at the start is not applied yet")
	l.memory = p.Health.Gate("memory", "")
	l.memory.Open()
	l.metrics = newMetrics(p.Metrics, l)
	return l
}

// shard is the state that is answered from.
func (l *leaf) shard() *shard {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// lag is how far the partition was ahead when it was last seen.
func (l *leaf) lag() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.end-l.current.index.Epoch())
}

// setAway notes whether the log is reached.
func (l *leaf) setAway(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = time.Time{}
	if err != nil {
		l.away = time.Now()
	}
}

func (l *leaf) awaySince() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.away
}

func (l *leaf) snapshotAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshotTime
}

// everything is the query for all documents.
func everything() *query.Node { return &query.Node{Kind: query.All} }
