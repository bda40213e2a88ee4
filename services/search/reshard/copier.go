package reshard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

// A copier fills the new log from the old one, under an identity that it alone has.
type copier struct {
	from, to *doclog.Cluster
	name     string // of the move: the topic of the next layout, which the seals have, too
	identity doclog.ProducerIdentity
	ledger   *ledger
	written  atomic.Int64

	targets []*target
	sources []*doclog.Appender // to the old partitions, for the seals
}

// A target is a partition of the new log.
type target struct {
	number int32

	mu       sync.Mutex // guards all below, and the order of what is appended
	appender *doclog.Appender
	end      int64 // behind what was appended

	seen chan struct{} // closed when what the log had before the fence was read
	read atomic.Int64
}

func newCopier(from, to *doclog.Cluster, partitions int, placed *doclog.Placement, name string, i doclog.ProducerIdentity) *copier {
	c := &copier{from: from, to: to, name: name, identity: i, ledger: newLedger(partitions, placed)}
	for q := range placed.Shards() {
		c.targets = append(c.targets, &target{number: q, appender: doclog.NewAppender(to, q, i), seen: make(chan struct{})})
	}
	for p := range int32(partitions) {
		c.sources = append(c.sources, doclog.NewAppender(from, p, i))
	}
	return c
}

// run copies until ctx ends; it returns another error when it cannot go on.
func (c *copier) run(ctx context.Context) error {
	for _, t := range c.targets {
		offset, err := t.appender.Append(ctx, doclog.Fencing(fmt.Sprint(c.name, "/", c.identity.Epoch)))
		if err != nil {
			return fmt.Errorf("fence partition %d of the new log: %w", t.number, err)
		}
		t.end = offset + 1
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range c.targets {
		fence := t.end
		group.Go(func() error { return c.look(ctx, t, fence) })
	}
	for p := range c.sources {
		group.Go(func() error {
			for _, t := range c.targets {
				select {
				case <-t.seen:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return c.follow(ctx, int32(p))
		})
	}
	return group.Wait()
}

// look reads a new partition: what it has, up to the fence, before anything is copied, and then what is copied.
func (c *copier) look(ctx context.Context, t *target, fence int64) error {
	once := sync.OnceFunc(func() { close(t.seen) })
	return read(ctx, c.to, t.number, doclog.Follower{Skipped: func(int64, string) { c.ledger.skipped("new") },
		Handle: func(_ context.Context, b doclog.Batch) error {
			for _, r := range b.Records {
				c.ledger.held(t.number, r)
			}
			t.read.Store(b.Next)
			if b.Next >= fence {
				once()
			}
			return c.ledger.sound()
		}})
}

// read follows a partition from its beginning, over a connection of its own, until ctx ends or the follower has an error.
func read(ctx context.Context, of *doclog.Cluster, partition int32, f doclog.Follower) error {
	cluster, err := of.Another()
	if err != nil {
		return err
	}
	defer cluster.Close()
	f.Cluster, f.Partition = cluster, partition
	if f.From, err = cluster.Oldest(partition); err != nil {
		return err
	}
	return f.Follow(ctx)
}

// follow copies an old partition.
func (c *copier) follow(ctx context.Context, p int32) error {
	return read(ctx, c.from, p, doclog.Follower{Skipped: func(_ int64, why string) {
		if why == doclog.SkippedKind {
			c.ledger.skipped("old")
		}
	}, Handle: func(ctx context.Context, b doclog.Batch) error {
		if err := c.copy(ctx, p, b.Records); err != nil {
			return err
		}
		c.ledger.read(p, max(0, b.End-b.Next))
		return c.ledger.sound()
	}})
}

// copy writes what is missing of some records, and returns when the new log has it.
func (c *copier) copy(ctx context.Context, p int32, records []doclog.Record) error {
	s := c.ledger.take(p, c.name, records)
	for q, some := range s.records {
		if err := c.append(ctx, c.targets[q], some); err != nil {
			return err
		}
	}
	for _, name := range s.marks {
		if !c.ledger.mark(p, name) {
			continue
		}
		for _, t := range c.targets {
			if c.ledger.hasMark(t.number, name) {
				continue
			}
			if err := c.append(ctx, t, []doclog.Record{doclog.Note(name)}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *copier) append(ctx context.Context, t *target, records []doclog.Record) error {
	if len(records) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	last, err := t.appender.Append(ctx, records...)
	if err != nil {
		return fmt.Errorf("copy to partition %d of the new log: %w", t.number, err)
	}
	t.end = last + 1
	c.written.Add(int64(len(records)))
	return nil
}

// seal ends the old partitions that are not ended yet.
func (c *copier) seal(ctx context.Context) error {
	for p, a := range c.sources {
		if c.ledger.isSealed(int32(p)) {
			continue // by an earlier driver; if its seal is only on its way there are two, and the first one counts
		}
		if _, err := a.Append(ctx, doclog.Sealed(c.name)); err != nil {
			return fmt.Errorf("seal partition %d of the old log: %w", p, err)
		}
	}
	return nil
}

// ends are the ends of the new log, and whether it was read up to there.
func (c *copier) ends() (ends []int64, read bool) {
	read = true
	for _, t := range c.targets {
		t.mu.Lock()
		ends = append(ends, t.end)
		read = read && t.read.Load() >= t.end
		t.mu.Unlock()
	}
	return ends, read
}

// errUnread is that of records which this version cannot copy.
var errUnread = errors.New("there are records that this version does not know")

func (l *ledger) skipped(log string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong == nil {
		l.wrong = fmt.Errorf("the %s log cannot be copied: %w", log, errUnread)
	}
}
