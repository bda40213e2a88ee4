package reshard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/services/search/control"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/layout"
)

// A Driver takes the steps of a move. Brokers, Layout, Leaves and Roots are needed.
type Driver struct {
	Brokers []string
	Layout  *layout.Layout // with the next one
	Leaves  Leaves         // of the next layout
	Roots   Roots
	Log     *slog.Logger

	// Level is how many records the copy and the new leaves may be behind when writes are stopped; 0 means 1000.
	Level int64
	// Linger is how long the old log is looked at behind the switch; 0 means 10s.
	Linger time.Duration
	// Pause is called in each phase before its next step, for tests; nil: nobody is.
	Pause func(control.Phase)

	close func()
}

// Leaves tell how far they are.
type Leaves interface {
	// Reached is nil when every replica that can be asked, and one of each shard at least, has applied these epochs; else it says who has not.
	Reached(ctx context.Context, epochs []int64) error
}

// Roots tell what they know.
type Roots interface {
	// Know is nil when every root has read this version of the control topic, and is ready to serve the next layout.
	Know(ctx context.Context, version int64) error
}

func of(l *layout.Layout) control.Layout {
	return control.Layout{Topic: l.Topic, Placement: l.Placement, Shards: len(l.Shards)}
}

// tick is how often a driver looks whether it can take the next step.
const tick = 50 * time.Millisecond

// logs are the topics of a move.
type logs struct {
	control  *control.Log
	from, to *doclog.Cluster
	closers  []func() error
}

func (l *logs) close() {
	for _, c := range l.closers {
		_ = c() // what is closed here has answered all that was asked
	}
}

func (d *Driver) open(ctx context.Context) (*logs, error) {
	if d.Layout.Control == "" {
		return nil, errors.New("the layout file names no control topic: without it roots do not follow a move")
	}
	l := &logs{}
	open := func(topic string, partitions int, create bool) (*doclog.Cluster, error) {
		c, err := doclog.Open(doclog.Options{Brokers: d.Brokers, Topic: topic, Client: "searchreshard", Log: d.Log})
		if err != nil {
			return nil, err
		}
		l.closers = append(l.closers, c.Close)
		if partitions == 0 {
			return c, nil
		}
		return c, c.Await(ctx, int32(partitions), create)
	}
	c, err := open(d.Layout.Control, 1, true)
	if err == nil {
		l.control = &control.Log{Cluster: c, Driver: control.Lot()}
		l.from, err = open(d.Layout.Topic, len(d.Layout.Shards), false)
	}
	if next := d.Layout.Next; err == nil && next != nil {
		l.to, err = open(next.Topic, len(next.Shards), true)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// steering opens the control topic alone, as it is.
func (d *Driver) steering(ctx context.Context, use func(*control.Log, control.State) error) error {
	c, err := doclog.Open(doclog.Options{Brokers: d.Brokers, Topic: d.Layout.Control, Client: "searchreshard", Log: d.Log})
	if err != nil {
		return err
	}
	defer c.Close()
	l := &control.Log{Cluster: c, Driver: control.Lot()}
	err = retry.Do(ctx, retry.Policy{Backoff: again}, func(context.Context) error {
		err := c.Verify(1)
		if partitions := new(doclog.Partitions); errors.As(err, &partitions) || doclog.IsMissing(err) {
			return retry.Stop(err)
		}
		return err
	})
	var s control.State
	if doclog.IsMissing(err) { // no root has ever followed it
		return use(l, s)
	}
	if err == nil {
		s, err = l.Read(ctx)
	}
	if err != nil {
		return err
	}
	return use(l, s)
}

// Status is the state of now. Nothing is made for it that is not there.
func (d *Driver) Status(ctx context.Context) (state control.State, err error) {
	err = d.steering(ctx, func(_ *control.Log, now control.State) error {
		state = now
		return nil
	})
	return state, err
}

// again is the wait between attempts.
var again = retry.Backoff{Base: 100 * time.Millisecond, Max: 2 * time.Second}

// errFinal marks what another try does not change.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

func final(format string, args ...any) error { return finalError{fmt.Errorf(format, args...)} }

// Abort goes back to serving. It is possible as long as nothing is sealed.
func (d *Driver) Abort(ctx context.Context) error {
	return d.steering(ctx, func(l *control.Log, last control.State) error {
		switch last.Phase {
		case control.Copying, control.Sealing:
		case control.Sealed:
			return errors.New("the log of now is sealed, and there is no way back: run goes on with the move")
		default:
			return errors.New("nothing moves, so that there is nothing to abort")
		}
		next := last
		next.Phase, next.Next = control.Serving, nil
		s, err := l.Propose(ctx, last, next)
		if err == nil {
			d.Log.Info("the move is aborted", "topic", s.Serving.Topic, "version", s.Version)
		}
		return err
	})
}

// Run moves the documents, or goes on with a move that somebody else has begun. Whatever a new beginning may mend is tried again until
// ctx ends: also that another driver has taken over, who may be dead by then.
func (d *Driver) Run(ctx context.Context) error {
	if d.Layout.Next == nil {
		return errors.New("the layout file has no next layout")
	}
	taken := 0
	return retry.Do(ctx, retry.Policy{Backoff: again,
		Before: func(_ int, err error, _ time.Duration) { d.Log.Warn("the move is begun again", "error", err) },
	}, func(ctx context.Context) error {
		err := d.session(ctx, taken > 0)
		var stop finalError
		if errors.Is(err, control.ErrTaken) {
			taken++
		}
		if errors.As(err, &stop) || errors.Is(err, ErrCompacted) || errors.Is(err, errUnread) || taken > 1 {
			return retry.Stop(err)
		}
		return err
	})
}

// session is the work of one driver, under one identity. lost tells that one of this process has lost the move to somebody.
func (d *Driver) session(ctx context.Context, lost bool) error {
	l, err := d.open(ctx)
	if err != nil {
		var partitions *doclog.Partitions
		if errors.As(err, &partitions) {
			return finalError{err}
		}
		return err
	}
	defer l.close()
	s, done, err := d.enter(ctx, l, lost)
	if err != nil || done {
		return err
	}
	if s.Phase != control.Switched {
		if s, err = d.move(ctx, l, s); err != nil {
			return err
		}
	}
	return d.linger(ctx, l, s)
}

// enter begins a move, or takes one over. done tells that there is none to do any more.
func (d *Driver) enter(ctx context.Context, l *logs, lost bool) (s control.State, done bool, err error) {
	last, err := l.control.Read(ctx)
	if err != nil {
		return last, false, err
	}
	now, next := of(d.Layout), of(d.Layout.Next)
	s = last
	switch {
	case last.Version > 0 && last.Serving == next && last.Phase == control.Serving:
		d.Log.Info("the next layout serves already", "topic", next.Topic)
		return last, true, nil
	case last.Version > 0 && last.Serving == next && last.Phase == control.Switched:
	case last.Version == 0 || last.Phase == control.Serving && last.Serving == now:
		if lost {
			return last, false, finalError{fmt.Errorf("the move was aborted: %w", control.ErrTaken)}
		}
		if _, was := last.Was(next.Topic); was {
			return last, false, final("topic %s has served before: its documents are old ones", next.Topic)
		}
		if err := d.empty(l); err != nil {
			return last, false, err
		}
		s.Phase, s.Serving, s.Next, s.Copied, s.Late = control.Copying, now, &next, 0, 0
	case last.Serving != now || last.Next == nil || *last.Next != next:
		return last, false, final("the control topic tells of another move: phase %s, from %+v to %+v; the layout file is from %+v to %+v", last.Phase, last.Serving, last.Next, now, next)
	}
	if s.Producer, err = d.identity(l, last, s.Phase); err != nil {
		return last, false, err
	}
	s, err = l.control.Propose(ctx, last, s)
	if err == nil {
		d.Log.Info("this driver has the move", "phase", s.Phase, "version", s.Version, "from", s.Serving.Topic, "to", next.Topic, "epoch", s.Producer.Epoch)
	}
	return s, false, err
}

// identity is that under which is copied: the next one of the driver before, or a new one.
func (d *Driver) identity(l *logs, last control.State, now control.Phase) (doclog.ProducerIdentity, error) {
	if now == control.Copying && (last.Version == 0 || last.Phase == control.Serving) {
		return l.control.Cluster.Identify()
	}
	i, ok := last.Producer.Next()
	if !ok {
		return i, final("the move was taken over too often: abort, and begin anew with another topic")
	}
	return i, nil
}

// empty refuses a next log that has something in it.
func (d *Driver) empty(l *logs) error {
	for p := range d.Layout.Next.Shards {
		if end, err := l.to.Newest(int32(p)); err != nil || end > 0 {
			if err != nil {
				return err
			}
			return final("partition %d of topic %s has records already: move to a topic that is new", p, d.Layout.Next.Topic)
		}
	}
	return nil
}
