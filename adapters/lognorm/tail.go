package lognorm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/assemble"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/follow"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// tail is a source of files.
type tail struct {
	set    *follow.Set
	reader *assemble.Reader
	sink   *sink
	stats  *stats
	timing timing

	buf    []byte
	record record.Record
	uid    []byte
	dirty  []*follow.File // read since the last batch
	named  string         // the path that the sink's attributes tell
}

// timing is how long a source waits for what.
type timing struct{ poll, look, trace, line, grace, drain time.Duration }

// stream is what a source knows of one of its files.
type stream struct {
	state    assemble.State
	named    string          // the path by which is
	severity record.Severity // the level in the file's name
	level    []byte
}

// turn is how many windows are read of a file before the others have their turn.
const turn = 4

// run reads until ctx is done, and then what is there.
func (t *tail) run(ctx context.Context) error {
	defer t.set.CloseAll()
	var looked time.Time
	for ctx.Err() == nil {
		now := time.Now()
		if now.Sub(looked) >= t.timing.look {
			looked = now
			if t.look(ctx, now) != nil {
				break // the process ends
			}
		}
		busy, err := t.pass(ctx, now, false)
		if err != nil {
			break
		}
		if !busy {
			_ = retry.Sleep(ctx, t.timing.poll) // the loop asks ctx
		}
	}
	return t.finish()
}

// finish reads what was written until the end, as long as the drain allows.
func (t *tail) finish() error {
	ctx, cancel := context.WithTimeout(context.Background(), t.timing.drain)
	defer cancel()
	for ctx.Err() == nil {
		busy, err := t.pass(ctx, time.Now(), true)
		if err != nil || !busy {
			return err
		}
	}
	return nil
}

func (t *tail) look(ctx context.Context, now time.Time) error {
	if err := t.send(ctx); err != nil {
		return err
	}
	t.set.Look(now)
	t.sink.changed(t.set.Changes())
	return t.sink.send(ctx)
}

// pass reads a bit of every file, and tells whether there was anything.
func (t *tail) pass(ctx context.Context, now time.Time, last bool) (busy bool, err error) {
	t.reader.Env.Now = now
	for _, f := range slices.Clone(t.set.Files()) {
		for range turn {
			more, err := t.step(ctx, f, now, last)
			if err != nil {
				return false, err
			}
			if !more {
				break
			}
			busy = true
		}
	}
	err = t.send(ctx)
	t.stats.follow(t.set)
	return busy, err
}

// step reads a window of a file.
func (t *tail) step(ctx context.Context, f *follow.File, now time.Time, last bool) (more bool, err error) {
	window, err := t.set.Read(f, t.buf, now)
	if errors.Is(err, follow.ErrChanged) {
		return true, t.begin(ctx, f, now)
	}
	if err != nil {
		t.stats.failed(err)
		return false, nil
	}
	if len(window) == 0 {
		if f.Ended(now, t.timing.grace) && f.Lag() == 0 {
			return false, t.end(ctx, f)
		}
		return false, nil
	}
	return t.take(ctx, f, window, t.flush(f, window, now, last))
}

// flush says how sure the end of the window must be.
func (t *tail) flush(f *follow.File, window []byte, now time.Time, last bool) assemble.Flush {
	switch {
	case f.Lag() > int64(len(window)):
		return assemble.Wait
	case f.Idle(now, t.timing.line), f.Ended(now, t.timing.grace):
		return assemble.All
	case last, f.Idle(now, t.timing.trace):
		return assemble.Records
	}
	return assemble.Wait
}

// take makes records of a window. It is false when nothing could be taken.
func (t *tail) take(ctx context.Context, f *follow.File, window []byte, flush assemble.Flush) (bool, error) {
	s := t.enter(f)
	at, passed := 0, 0
	for at < len(window) {
		if !t.sink.open() { // it may take long until it is
			t.stats.follow(t.set)
		}
		if err := t.sink.ready(ctx); err != nil {
			return false, err
		}
		result := t.reader.Next(&s.state, window[at:], flush, &t.record)
		if result.Outcome == assemble.More && at == 0 && f.Lag() > int64(len(window)) { // a record larger than the window
			result = t.reader.Next(&s.state, window, assemble.Records, &t.record)
		}
		if result.Outcome == assemble.More {
			break
		}
		t.emit(f, s, f.Offset()+int64(at-passed), result)
		at += result.N
		if t.sink.batch.Full() {
			t.advance(f, window[passed:at])
			passed = at
			if err := t.send(ctx); err != nil {
				return false, err
			}
		}
	}
	if at > passed {
		t.advance(f, window[passed:at])
	}
	return at > 0, nil
}

func (t *tail) advance(f *follow.File, taken []byte) {
	t.set.Advance(f, taken)
	if !slices.Contains(t.dirty, f) {
		t.dirty = append(t.dirty, f)
	}
}

// emit puts what was read at an offset into the batch.
func (t *tail) emit(f *follow.File, s *stream, offset int64, result assemble.Result) {
	counts := &t.sink.batch.Counts
	switch result.Outcome {
	case assemble.Blank:
		counts.Blank += result.Lines
		return
	case assemble.Hole:
		counts.Hole += result.N
		return
	}
	r := &t.record
	r.Observed = t.reader.Env.Now.UnixNano()
	t.uid = append(append(t.uid[:0], f.ID...), '-')
	t.uid = strconv.AppendInt(t.uid, offset, 10)
	r.UID = t.uid
	if r.Severity == 0 && s.severity != 0 {
		r.Severity, r.Level = s.severity, s.level
	}
	t.sink.add(r, result.Lines, result.Outcome == assemble.Parsed)
}

// enter gives the sink the attributes of a file.
func (t *tail) enter(f *follow.File) *stream {
	s, ok := f.User.(*stream)
	if !ok {
		s = &stream{}
		f.User = s
	}
	if s.named != f.Path {
		s.named = f.Path
		s.severity, s.level = levelOf(filepath.Base(f.Path))
	}
	if t.named != f.Path {
		t.named = f.Path
		t.sink.origin([2]string{"log.file.name", filepath.Base(f.Path)}, [2]string{"log.file.path", f.Path})
	}
	return s
}

// begin begins a file again after what was read before is on its way.
func (t *tail) begin(ctx context.Context, f *follow.File, now time.Time) error {
	if err := t.send(ctx); err != nil {
		return err
	}
	t.set.Begin(f, now)
	f.User = nil
	t.sink.changed(t.set.Changes())
	return t.sink.send(ctx)
}

// end closes a file of which nothing more is expected.
func (t *tail) end(ctx context.Context, f *follow.File) error {
	if err := t.send(ctx); err != nil {
		return err
	}
	t.set.Close(f)
	t.sink.changed(t.set.Changes())
	return t.sink.send(ctx)
}

// send puts the batch on its way, with how far files were read for it.
func (t *tail) send(ctx context.Context) error {
	if len(t.dirty) > 0 {
		if err := t.sink.ready(ctx); err != nil {
			return err
		}
		for _, f := range t.dirty {
			t.sink.batch.After = append(t.sink.batch.After, t.set.Moved(f))
		}
		t.dirty = t.dirty[:0]
	}
	if err := t.sink.send(ctx); err != nil {
		return fmt.Errorf("send records: %w", err)
	}
	return nil
}

// levelOf finds the level in the name of a file: error.log, app.WARNING,
// app.host.log.INFO.20240305-101112.
func levelOf(name string) (record.Severity, []byte) {
	for _, part := range bytes.FieldsFunc([]byte(name), func(r rune) bool { return r == '.' || r == '-' || r == '_' }) {
		switch string(bytes.ToLower(part)) {
		case "all", "config", "fine", "finer", "finest", "verbose": // are names of other things too
			continue
		}
		if severity, known := record.ParseLevel(part); known {
			return severity, part
		}
	}
	return 0, nil
}
