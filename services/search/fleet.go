package search

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/control"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/layout"
	"github.com/flotilla-dev/flotilla/services/search/scatter"
)

// A table is a layout at work. Who uses it holds it: what a newer one does not have any more ends when nobody holds it.
type table struct {
	layout *layout.Layout
	shards []*shard
	placed *doclog.Placement
	log    *logbook // nil: without Kafka
	users  sync.WaitGroup

	view      *control.View  // nil: this layout serves for ever
	control   string         // its topic
	moves     control.State  // that this table was made at
	following *layout.Layout // that documents may move to; nil: there is none
	next      []*shard       // its shards, so that they are known when it serves
}

// A shard is its replicas, and what was last known of it.
type shard struct {
	name      string // its partition
	address   string
	pool      *upstream.Pool
	retries   *retry.Budget
	documents atomic.Int64 // that it had when it was last heard of; unknown at first
	stop      func()
}

// unknown is a number of documents that nobody has told yet.
const unknown = -1

// asked is the shard as it is asked.
func (s *shard) asked() scatter.Shard { return scatter.Shard{Pool: s.pool, Retries: s.retries} }

// release is called once by everybody who got the table of the fleet.
func (t *table) release() { t.users.Done() }

// fleet has the table of now, and changes it.
type fleet struct {
	cfg *Config
	log *slog.Logger
	run context.Context // of all pools
	end context.CancelFunc

	background sync.WaitGroup // pools, and old tables that are still held

	view     *control.View  // nil: the file names no control topic
	controls sync.WaitGroup // who follows it
	began    time.Time      // when that began

	applying sync.Mutex // held while a table is made
	text     []byte     // of the file, guarded by applying

	mu      sync.Mutex // guards all below
	current *table
	broken  error // why the file of now was not taken
	closed  bool
}

func newFleet(cfg *Config, log *slog.Logger) *fleet {
	ctx, cancel := context.WithCancel(context.Background())
	return &fleet{cfg: cfg, log: log, run: ctx, end: cancel}
}

// hold returns the table of now. Its release must be called.
func (f *fleet) hold() *table {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current.users.Add(1)
	return f.current
}

// state is the table of now for somebody who only looks, and what is wrong with the file.
func (f *fleet) state() (*table, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current, f.broken
}

// reload takes a new file, or keeps the table and says why.
func (f *fleet) reload(text []byte) {
	err := f.apply(text)
	f.mu.Lock()
	f.broken = err
	f.mu.Unlock()
	if err != nil {
		f.log.Error("layout not taken, keeping the one of before", "file", f.cfg.LayoutFile, "error", err)
		return
	}
	t, _ := f.state()
	f.log.Info("layout taken", "file", f.cfg.LayoutFile, "topic", t.layout.Topic, "shards", len(t.shards))
}

// apply puts a file to work. Shards and the log that stay the same are taken over.
func (f *fleet) apply(text []byte) error {
	f.applying.Lock()
	defer f.applying.Unlock()
	file, err := layout.Parse(text, f.cfg.lookup())
	if err != nil {
		return err
	}
	l, moves, err := f.serving(file)
	if err != nil {
		return err
	}
	if f.cfg.Distribution == Terms && len(l.Shards) != 1 {
		return fmt.Errorf("layout: there are %d shards: with SEARCH_DISTRIBUTION=%s there is one, whose replicas have all documents", len(l.Shards), Terms)
	}
	placed, err := doclog.NewPlacement(l.Placement, len(l.Shards))
	if err != nil {
		return fmt.Errorf("layout: %w", err)
	}
	old, _ := f.state()
	next := &table{layout: l, placed: placed, moves: moves, view: f.view}
	for i, address := range l.Shards {
		s, err := f.shard(old, i, address)
		if err != nil {
			next.stopUnlike(old)
			return err
		}
		next.shards = append(next.shards, s)
	}
	if err := f.prepare(old, next, file); err != nil {
		next.stopUnlike(old)
		return err
	}
	if err := f.openLog(old, next); err != nil {
		next.stopUnlike(old)
		return err
	}
	f.text = text
	return f.swap(next)
}

// shard is that of the old table where it is the same, or a new one.
func (f *fleet) shard(old *table, i int, address upstream.Address) (*shard, error) {
	if old != nil {
		for _, known := range [][]*shard{old.shards, old.next} {
			if i < len(known) && known[i].address == address.String() {
				return known[i], nil
			}
		}
	}
	s := &shard{name: strconv.Itoa(i), address: address.String(), retries: f.cfg.Limits.Budget()}
	s.documents.Store(unknown)
	pool, err := upstream.New(upstream.Options{Name: "shard " + s.name, Address: address, Intervals: f.cfg.Intervals, Health: f.cfg.Health, Policy: upstream.Fastest, Log: f.log})
	if err != nil {
		return nil, fmt.Errorf("shard %s: %w", s.name, err)
	}
	ctx, cancel := context.WithCancel(f.run)
	s.pool, s.stop = pool, cancel
	f.background.Go(func() {
		if err := pool.Run(ctx); err != nil {
			f.log.Error("pool of a shard ended", "shard", s.name, "error", err)
		}
	})
	return s, nil
}

func (f *fleet) openLog(old, next *table) error {
	if len(f.cfg.Kafka) == 0 {
		return nil
	}
	if old != nil && old.log != nil && old.layout.Topic == next.layout.Topic && len(old.shards) == len(next.shards) {
		next.log = old.log
		return nil
	}
	var err error
	next.log, err = openLogbook(f.cfg, next.layout.Topic, len(next.shards), f.log)
	return err
}

// swap makes next the table of now, and ends what only the old one has as soon as nobody holds it.
func (f *fleet) swap(next *table) error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		next.stopUnlike(nil)
		return errors.New("the process ends")
	}
	old := f.current
	f.current = next
	f.mu.Unlock()
	if old != nil {
		f.background.Go(func() {
			old.users.Wait()
			old.stopUnlike(next)
		})
	}
	return nil
}

// stopUnlike ends what t has and the other one has not.
func (t *table) stopUnlike(other *table) {
	kept := map[any]bool{}
	if other != nil {
		for _, s := range slices.Concat(other.shards, other.next) {
			kept[s] = true
		}
		kept[other.log] = true
	}
	for _, s := range slices.Concat(t.shards, t.next) {
		if !kept[s] {
			s.stop()
		}
	}
	if t.log != nil && !kept[t.log] {
		t.log.close()
	}
}

// close ends all, when no request is served any more.
func (f *fleet) close() {
	f.mu.Lock()
	f.closed = true
	last := f.current
	f.mu.Unlock()
	if last != nil {
		last.users.Wait()
		last.stopUnlike(nil)
	}
	f.end()
	f.background.Wait()
}

// ready waits until every shard has a replica that can be used.
func (f *fleet) ready(ctx context.Context) error {
	for {
		t := f.hold()
		err := waitForAll(ctx, t.shards)
		t.release()
		if now, _ := f.state(); now == t || ctx.Err() != nil {
			return err
		}
	}
}

func waitForAll(ctx context.Context, shards []*shard) error {
	for _, s := range shards {
		if err := s.pool.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
