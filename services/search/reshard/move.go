package reshard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/services/search/control"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

// move copies and switches, from the phase in which it is.
func (d *Driver) move(ctx context.Context, l *logs, s control.State) (control.State, error) {
	placed, err := doclog.NewPlacement(s.Next.Placement, s.Next.Shards)
	if err != nil {
		return s, finalError{err}
	}
	c := newCopier(l.from, l.to, s.Serving.Shards, placed, s.Next.Topic, s.Producer)
	running, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		stop(c.run(running))
	}()
	s, err = d.steps(running, l, s, c)
	stop(nil)
	<-ended
	if cause := context.Cause(running); err != nil && ctx.Err() == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return s, cause // why the copier ended is why the steps did
	}
	if err != nil {
		return s, err
	}
	// Nothing is copied any more, so that the next log may be written by others.
	ends, _ := c.ends()
	d.pause(s.Phase)
	next := s.Switch(ends)
	next.Copied = c.written.Load()
	if s, err = l.control.Propose(ctx, s, next); err == nil {
		d.Log.Info("switched: the next layout serves", "topic", s.Serving.Topic, "epochs", ends)
	}
	return s, err
}

func (d *Driver) pause(p control.Phase) {
	if d.Pause != nil {
		d.Pause(p)
	}
}

// steps brings the move to where it can be switched.
func (d *Driver) steps(ctx context.Context, l *logs, s control.State, c *copier) (control.State, error) {
	var err error
	if s.Phase == control.Copying {
		if err = d.until(ctx, l, "the copy to be level", func() error { return d.level(ctx, c, s.Version) }); err != nil {
			return s, err
		}
		if err := c.ledger.compacted(); err != nil {
			return s, err
		}
		d.pause(s.Phase)
		if s, err = d.step(ctx, l, s, control.Sealing); err != nil {
			return s, err
		}
	}
	if s.Phase == control.Sealing {
		if err := retry.Sleep(ctx, control.Patience); err != nil { // from when it is known to be in the log
			return s, err
		}
		d.pause(s.Phase)
		if s, err = d.step(ctx, l, s, control.Sealed); err != nil {
			return s, err
		}
	}
	if err := d.until(ctx, l, "the old log to be read", func() error { return behind(c, 0) }); err != nil {
		return s, err
	}
	if err := c.seal(ctx); err != nil {
		return s, err
	}
	if err := d.until(ctx, l, "the rest to be copied", func() error { return whole(c, s.Serving.Shards) }); err != nil {
		return s, err
	}
	if err := c.ledger.compare(); err != nil {
		return s, finalError{err}
	}
	ends, _ := c.ends()
	err = d.until(ctx, l, "the leaves to have it", func() error { return d.Leaves.Reached(ctx, ends) })
	return s, err
}

func (d *Driver) step(ctx context.Context, l *logs, last control.State, phase control.Phase) (control.State, error) {
	next := last
	next.Phase = phase
	s, err := l.control.Propose(ctx, last, next)
	if err == nil {
		d.Log.Info(string(phase), "version", s.Version)
	}
	return s, err
}

// behind says how far the copy is behind the old log, if that is more than most.
func behind(c *copier, most int64) error {
	n, _, _ := c.ledger.state()
	switch {
	case n == unseen:
		return errors.New("the ends of the old log have not all been seen")
	case n > most:
		return fmt.Errorf("the copy is %d records behind", n)
	}
	return nil
}

// level is nil when only little is left to do while nothing is written.
func (d *Driver) level(ctx context.Context, c *copier, version int64) error {
	most := d.Level
	if most == 0 {
		most = 1000
	}
	if err := behind(c, most); err != nil {
		return err
	}
	ends, _ := c.ends()
	for i := range ends {
		ends[i] = max(0, ends[i]-most)
	}
	if err := d.Leaves.Reached(ctx, ends); err != nil {
		return err
	}
	return d.Roots.Know(ctx, version)
}

// whole is nil when the new log has all of the old one, which is sealed, and was read back.
func whole(c *copier, partitions int) error {
	if _, _, sealed := c.ledger.state(); sealed < partitions {
		return fmt.Errorf("%d of %d partitions are copied up to their seals", sealed, partitions)
	}
	if _, read := c.ends(); !read {
		return errors.New("the copy is not read to its end")
	}
	return c.ledger.sound()
}

// until waits for what is wanted. From time to time it tells why it is not there yet, and looks whether somebody else has the move, or has
// aborted it: then it would perhaps be waited for in vain.
func (d *Driver) until(ctx context.Context, l *logs, what string, wanted func() error) error {
	told := time.Now()
	for {
		err := wanted()
		var stop finalError
		if err == nil || errors.As(err, &stop) {
			return err
		}
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			d.Log.Info("waiting for "+what, "because", err)
			if now, err := l.control.Read(ctx); err == nil && now.Driver != l.control.Driver {
				return control.ErrTaken
			}
		}
		if err := retry.Sleep(ctx, tick); err != nil {
			return err
		}
	}
}

// linger looks at the old log for a while: nothing that was acknowledged may be behind a seal.
func (d *Driver) linger(ctx context.Context, l *logs, s control.State) error {
	d.pause(s.Phase)
	most := d.Linger
	if most == 0 {
		most = 10 * time.Second
	}
	looking, stop := context.WithTimeout(ctx, most)
	defer stop()
	late, err := d.late(looking, l, s.Serving.Topic)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	next := s
	next.Phase, next.Late = control.Serving, late
	s, err = l.control.Propose(ctx, s, next)
	if err == nil {
		d.Log.Info("the move is done", "topic", s.Serving.Topic, "copied", s.Copied, "late", late, "version", s.Version)
	}
	return err
}
