package leaf

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/index"
)

// A shard is the state of a partition, from its beginning or a snapshot on. When the log is lost the leaf begins another one.
type shard struct {
	index *index.Index

	mu     sync.Mutex // guards all below
	marks  map[string]bool
	sealed bool // the partition has ended; see doclog.Seal
}

// read are the records of a batch that count: none is behind a seal.
func (s *shard) read(records []doclog.Record) []doclog.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range records {
		if s.sealed {
			return records[:i]
		}
		s.sealed = r.Kind == doclog.Seal
	}
	return records
}

func (s *shard) isSealed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sealed
}

func (l *leaf) newShard() *shard {
	return &shard{index: index.New(index.Options{Versions: l.cfg.Versions, MaxBytes: int64(l.cfg.Memory)}), marks: map[string]bool{}}
}

func (s *shard) listMarks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.AppendSeq([]string{}, maps.Keys(s.marks)) // not nil, which JSON calls null
	slices.Sort(all)
	return all
}

// mostMarks bounds the marks that are remembered.
const mostMarks = 1000

func (s *shard) mark(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.marks) < mostMarks {
		s.marks[name] = true
	}
}

// follow keeps up with the partition until ctx ends. Its error is one that a restart does not mend.
func (l *leaf) follow(ctx context.Context) error {
	if err := l.cluster.Await(ctx, l.cfg.Partitions, true); err != nil {
		return stopped(ctx, err)
	}
	for first := true; ctx.Err() == nil; first = false {
		err := l.begin(ctx, first)
		var gone *doclog.Gone
		switch {
		case errors.As(err, &gone):
			l.log.Error("the log has lost what comes next: it is read anew", "error", gone)
			l.answers.Store(false)
			l.caught.Close("the log was lost; it is read anew")
			l.metrics.anew.Inc()
			l.forget()
		case errors.Is(err, index.ErrFull):
			l.full(ctx)
		case err != nil:
			return stopped(ctx, err)
		}
	}
	return nil
}

// stopped is the error of something that ended: none, when it was told to.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// full stands still: what was applied can be asked for, as long as somebody does.
func (l *leaf) full(ctx context.Context) {
	_, _, bytes := l.shard().index.Size()
	l.log.Error("the index is as large as it may be: the log is not followed any more", "bytes", bytes, "bound", l.cfg.Memory.String())
	l.memory.Close(fmt.Sprintf("the index takes %d bytes of SEARCHLEAF_MEMORY=%s: the log is not followed any more", bytes, l.cfg.Memory))
	<-ctx.Done()
}

// begin makes a state, from the snapshot if it is the first and there is one, and follows the partition.
func (l *leaf) begin(ctx context.Context, first bool) error {
	identity, err := l.identity(ctx)
	if err != nil {
		return err
	}
	s, from, err := l.state(ctx, first, identity)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.current, l.end, l.identityNow, l.changes = s, -1, identity, 0
	l.mu.Unlock()
	caught := int64(-1)
	idle := time.Time{} // since when there was nothing new; zero: swept since
	f := &doclog.Follower{
		Cluster: l.cluster, Partition: l.cfg.Partition, From: from, Identity: identity, Away: l.setAway,
		Skipped: func(_ int64, why string) { l.metrics.skipped.WithLabelValues(why).Inc() },
		Handle: func(_ context.Context, b doclog.Batch) error {
			if err := l.apply(s, b); err != nil {
				return err
			}
			if caught < 0 {
				caught = b.End
			}
			if b.Next >= caught {
				l.answers.Store(true)
				l.caught.Open()
			}
			switch {
			case len(b.Records) > 0:
				idle = time.Now()
			case !idle.IsZero() && time.Since(idle) > l.cfg.Versions:
				s.index.Sweep()
				idle = time.Time{}
			}
			return nil
		},
	}
	return f.Follow(ctx)
}

// apply applies a batch.
func (l *leaf) apply(s *shard, b doclog.Batch) error {
	records := s.read(b.Records)
	changes := make([]index.Change, 0, len(records))
	for _, r := range records {
		if r.Kind == doclog.Document {
			changes = append(changes, index.Change{Offset: r.Offset, ID: r.ID, Document: r.Document})
		}
	}
	if err := s.index.Apply(changes); err != nil {
		return err
	}
	for _, r := range records { // before the epoch tells of them
		if r.Kind == doclog.Mark {
			s.mark(r.ID)
		}
	}
	if b.Next > s.index.Epoch() {
		s.index.Advance(b.Next)
	}
	l.metrics.applied.Add(float64(len(b.Records)))
	l.mu.Lock()
	l.end = b.End
	l.changes += len(b.Records)
	if b.Next >= b.End {
		l.endSeen = time.Now()
	}
	due := l.changes >= l.cfg.Changes
	l.mu.Unlock()
	if due {
		l.wake()
	}
	return nil
}

// identity asks until it is told which topic this is.
func (l *leaf) identity(ctx context.Context) (string, error) {
	var identity string
	err := l.ask(ctx, "which topic it is", func() (err error) {
		identity, err = l.cluster.Identity()
		return err
	})
	return identity, err
}

// state is that of the snapshot, if it can be used, or an empty one where the partition begins.
func (l *leaf) state(ctx context.Context, first bool, identity string) (*shard, int64, error) {
	if first && l.cfg.Dir != "" {
		s, err := l.restore(ctx, identity)
		if err != nil {
			return nil, 0, err
		}
		if s != nil {
			return s, s.index.Epoch(), nil
		}
	}
	var oldest int64
	err := l.ask(ctx, "where the partition begins", func() (err error) {
		oldest, err = l.cluster.Oldest(l.cfg.Partition)
		return err
	})
	return l.newShard(), oldest, err
}

// restore returns the state of the snapshot, or nil where there is none to use.
func (l *leaf) restore(ctx context.Context, identity string) (*shard, error) {
	var retention time.Duration
	err := l.ask(ctx, "how long deletions stay", func() (err error) {
		retention, err = l.cluster.DeleteRetention()
		return err
	})
	if err != nil {
		return nil, err
	}
	s := l.newShard()
	began := time.Now()
	h, err := readSnapshot(l.cfg.Dir, s.index, func(h header) error { return l.fits(h, identity, retention) })
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		l.metrics.written.WithLabelValues(snapshotIgnored).Inc()
		l.log.Warn("the snapshot is not used: the partition is read from its beginning", "error", err)
		return nil, nil
	}
	for _, name := range h.Marks {
		s.mark(name)
	}
	s.sealed = h.Sealed
	l.metrics.written.WithLabelValues(snapshotLoaded).Inc()
	l.mu.Lock()
	l.snapshot, l.snapshotTime = h.Epoch, h.Current
	l.mu.Unlock()
	l.log.Info("the snapshot is loaded", "epoch", h.Epoch, "documents", h.Documents, "seconds", time.Since(began).Seconds())
	return s, nil
}

// fits tells whether a snapshot can be gone on from. Of an old one documents may have been deleted without a trace: the deletion was
// taken out of the log, too.
func (l *leaf) fits(h header, identity string, retention time.Duration) error {
	switch {
	case h.Topic != l.cfg.Topic || h.Partition != l.cfg.Partition:
		return fmt.Errorf("it is of partition %d of topic %s", h.Partition, h.Topic)
	case h.Identity != identity:
		return errors.New("it is of another topic with this name")
	case time.Since(h.Current) > retention/2:
		return fmt.Errorf("it is of %s, and deletions surely stay in the log for %s", h.Current.Format(time.RFC3339), retention)
	case time.Until(h.Current) > time.Minute:
		return fmt.Errorf("it is of %s, which is still to come", h.Current.Format(time.RFC3339))
	}
	return nil
}

// forget takes the snapshot away: it is of a log that is lost.
func (l *leaf) forget() {
	if l.cfg.Dir == "" {
		return
	}
	l.mu.Lock()
	l.snapshot, l.snapshotTime = -1, time.Time{}
	l.mu.Unlock()
	if err := os.Remove(filepath.Join(l.cfg.Dir, snapshotName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		l.log.Warn("the snapshot cannot be removed", "error", err)
	}
}
