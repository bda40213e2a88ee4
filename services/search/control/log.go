package control

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

// Lease is how long after it has looked a root may write. All processes of a search have to be of one mind about it.
const Lease = 2 * time.Second

// Patience is how long somebody who has announced Sealing waits before the seals. The difference is for clocks that do not run alike.
const Patience = Lease + Lease/4

// ErrTaken says that somebody else has taken the step.
var ErrTaken = errors.New("another driver has taken over: the control topic has its step")

// A Log is the control topic for those who take steps.
type Log struct {
	Cluster *doclog.Cluster
	// Driver names who takes the steps; see Lot.
	Driver string
}

// Lot draws a name for a driver.
func Lot() string { return rand.Text() }

// Open connects to a control topic, and makes it where there is none.
func Open(ctx context.Context, o doclog.Options) (*doclog.Cluster, error) {
	c, err := doclog.Open(o)
	if err != nil {
		return nil, err
	}
	if err := c.Await(ctx, 1, true); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Read is the state at the end of the log.
func (l *Log) Read(ctx context.Context) (State, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, err := l.Cluster.Oldest(0)
	if err != nil {
		return State{}, err
	}
	var s State
	end, done := int64(-1), errors.New("read")
	f := doclog.Follower{Cluster: l.Cluster, From: from, Handle: func(_ context.Context, b doclog.Batch) error {
		end = max(end, b.End)
		for _, r := range b.Records {
			s, _ = fold(s, r) // a View logs what is void
		}
		if b.Next >= end {
			return done
		}
		return nil
	}}
	if err := f.Follow(ctx); !errors.Is(err, done) {
		return State{}, err
	}
	return s, nil
}

// Propose takes a step: next becomes the state behind last, or it is ErrTaken. After another error it is not known.
func (l *Log) Propose(ctx context.Context, last, next State) (State, error) {
	next.Version, next.Driver, next.Time = last.Version+1, l.Driver, time.Now().UTC()
	if err := next.follows(last); err != nil {
		return last, fmt.Errorf("take a step: %w", err)
	}
	value, err := json.Marshal(next)
	if err != nil {
		return last, err
	}
	if len(value) > doclog.MaxControl {
		return last, fmt.Errorf("a state of %d bytes: %d are possible", len(value), doclog.MaxControl)
	}
	// A step may be written twice, when its first end is unknown: the second is void.
	w := doclog.NewWriter(l.Cluster, 1)
	defer w.Close()
	if _, err := w.One(ctx, 0, doclog.Controlled(fmt.Sprintf("%d/%s", next.Version, l.Driver), value)); err != nil {
		return last, fmt.Errorf("take a step: %w", err)
	}
	now, err := l.Read(ctx)
	if err != nil {
		return last, err
	}
	// Others may have gone on from ours, but then we are not the driver any more.
	if now.Version != next.Version || now.Driver != l.Driver {
		return now, ErrTaken
	}
	return now, nil
}

// quiet is where nothing is logged.
func quiet(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
