package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/journal"
)

// Writer delivers batches one after the other.
type Writer struct {
	Queue    *Queue
	Out      io.Writer
	OTLP     *Exporter // nil: not used
	Journal  *journal.Journal
	Every    time.Duration // longest time between two saves
	Lines    int           // most lines that leave between two saves
	Patience time.Duration // how long the output may block once the process is to end
	Log      *slog.Logger

	unsaved   int // lines that have left since the last save
	dirty     bool
	saveError atomic.Pointer[error]
}

// ErrBlocked says that nobody read the output when the process had to end.
var ErrBlocked = errors.New("the output was not read in time: what was read and not written will be read again")

// SaveError is why the last save failed; nil when it did not.
func (w *Writer) SaveError() error {
	if e := w.saveError.Load(); e != nil {
		return *e
	}
	return nil
}

// Run delivers until the queue is closed and empty. Once ctx is done it is in a
// hurry: an output that takes nothing for Patience is given up.
func (w *Writer) Run(ctx context.Context) error {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	out := newOutput(w.Out)
	defer out.close()
	if w.Journal.Torn() { // the line that was being written when the process ended
		if err := out.write(ctx, w.Patience, []byte("\n")); err != nil {
			return err
		}
	}
	if err := w.Journal.Save(false); err != nil {
		return err // better known now than when it matters
	}
	for {
		select {
		case b, open := <-w.Queue.full:
			if !open {
				return w.Journal.Save(true)
			}
			if err := w.deliver(ctx, out, b); err != nil {
				return err
			}
			w.Queue.put(b)
		case <-tick.C:
			if w.dirty {
				w.save()
			}
		}
	}
}

func (w *Writer) deliver(ctx context.Context, out *output, b *Batch) error {
	if len(b.Before) > 0 {
		w.Journal.Apply(b.Source, b.Before)
		w.save()
	}
	lines := b.Counts.Lines + b.Counts.Blank
	if w.unsaved > 0 && w.unsaved+lines > w.Lines {
		w.save()
	}
	if err := out.write(ctx, w.Patience, b.Lines); err != nil {
		return err
	}
	if w.OTLP != nil && len(b.Request) > 0 {
		if err := w.OTLP.send(ctx, b); err != nil {
			return err
		}
	}
	w.Journal.Apply(b.Source, b.After)
	if b.Cursor != nil {
		w.Journal.SetCursor(b.Source, b.Cursor)
	}
	w.unsaved += lines
	w.dirty = true
	if b.Done != nil {
		b.Done(b.Counts)
	}
	return nil
}

// save writes the journal. A failure is told once and does not stop the
// delivery: lines would be repeated after a restart, and none lost.
func (w *Writer) save() {
	err := w.Journal.Save(false)
	if err != nil && w.SaveError() == nil {
		w.Log.Error("the state cannot be saved", "error", err)
	}
	w.saveError.Store(&err)
	if err == nil {
		w.unsaved, w.dirty = 0, false
	}
}

// output writes in a goroutine of its own: a pipe that nobody reads blocks for
// ever, and must not keep the process from ending.
type output struct {
	work chan []byte
	done chan error
}

func newOutput(to io.Writer) *output {
	o := &output{work: make(chan []byte), done: make(chan error, 1)}
	go func() {
		for b := range o.work {
			_, err := to.Write(b)
			o.done <- err
		}
	}()
	return o
}

func (o *output) close() { close(o.work) }

func (o *output) write(ctx context.Context, patience time.Duration, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	o.work <- b
	select {
	case err := <-o.done:
		return wrap(err)
	case <-ctx.Done():
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-o.done:
		return wrap(err)
	case <-timer.C:
		return ErrBlocked
	}
}

func wrap(err error) error {
	if err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}
