package leaf

import (
	"context"
	"errors"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/services/search/index"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// touch is how old a snapshot becomes at most while nothing changes: an old one is not used.
const touch = time.Hour

// keep writes snapshots until ctx ends, and a last one then.
func (l *leaf) keep(ctx context.Context) {
	tick := time.NewTicker(l.cfg.Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-l.woken:
		case <-ctx.Done():
		}
		l.save()
	}
}

// wake has a snapshot written now.
func (l *leaf) wake() {
	select {
	case l.woken <- struct{}{}:
	default:
	}
}

// save writes a snapshot, if there is something new and the end of the partition was seen: while a leaf catches up, nobody knows how old
// its state is.
func (l *leaf) save() {
	l.mu.Lock()
	s, changes, end, current, identity := l.current, l.changes, l.end, l.endSeen, l.identityNow
	due := changes > 0 || !l.snapshotTime.IsZero() && time.Since(l.snapshotTime) > touch
	l.mu.Unlock()
	if !due || end < 0 || s.index.Epoch() < end {
		return
	}
	began := time.Now()
	h, err := l.saveShard(s, identity, current)
	if err != nil {
		if !errors.Is(err, index.ErrGone) { // the index went on meanwhile: next time
			l.metrics.written.WithLabelValues(snapshotFailed).Inc()
			l.log.Error("the snapshot is not written", "error", err)
		}
		return
	}
	l.metrics.written.WithLabelValues(snapshotWritten).Inc()
	l.mu.Lock()
	if l.current == s {
		l.snapshot, l.snapshotTime = h.Epoch, h.Current
		l.changes -= changes
	}
	l.mu.Unlock()
	l.log.Info("a snapshot is written", "epoch", h.Epoch, "documents", h.Documents, "seconds", time.Since(began).Seconds())
}

func (l *leaf) saveShard(s *shard, identity string, current time.Time) (header, error) {
	view, err := s.index.At(wire.Latest)
	if err != nil {
		return header{}, err
	}
	known, err := view.Statistics(context.Background(), everything())
	if err != nil {
		return header{}, err
	}
	h := header{
		Topic: l.cfg.Topic, Identity: identity, Partition: l.cfg.Partition, Epoch: view.Epoch(), Current: current,
		Documents: known.Documents, Marks: s.listMarks(), Sealed: s.isSealed(),
	}
	return h, writeSnapshot(l.cfg.Dir, h, view)
}

// ask repeats a question to the brokers until it is answered.
func (l *leaf) ask(ctx context.Context, what string, question func() error) error {
	return retry.Do(ctx, retry.Policy{
		Backoff: retry.Backoff{Base: 50 * time.Millisecond, Max: time.Second},
		Before: func(attempt int, err error, _ time.Duration) {
			if attempt == 1 {
				l.log.Warn("the log cannot be asked; it is tried again", "question", what, "error", err)
			}
		},
	}, func(context.Context) error { return question() })
}
