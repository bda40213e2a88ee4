package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// perSave is how many lines may leave between two saves of the state, and so how
// many a kill may repeat.
const perSave = 10_000

// rotating is a log that is written and rotated in turns of both ways.
type rotating struct {
	*mixedLines
	path     string
	file     *os.File
	renames  int
	copies   int
	pending  []byte
	rotation int // lines between two rotations
	last     int // token of the last one
}

func (w *rotating) open() (err error) {
	w.file, err = os.OpenFile(w.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	return err
}

// write writes some records at once, and rotates when it is time.
func (w *rotating) write() error {
	w.pending = w.pending[:0]
	for range 200 {
		w.pending = w.append(w.pending)
	}
	if _, err := w.file.Write(w.pending); err != nil {
		return err
	}
	if w.next-w.last < w.rotation {
		return nil
	}
	w.last = w.next
	generation := fmt.Sprintf("%s.%d", w.path, w.renames+w.copies)
	if (w.renames+w.copies)%2 == 0 {
		w.renames++
		if err := os.Rename(w.path, generation); err != nil {
			return err
		}
		_ = w.file.Close() // every byte was written
		return w.open()
	}
	w.copies++
	content, err := os.ReadFile(w.path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(generation, content, 0o644); err != nil {
		return err
	}
	return os.Truncate(w.path, 0)
}

func crash(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "lognorm"); err != nil {
		return err
	}
	lines := manyLines(r)
	w := &rotating{mixedLines: newMixed(), path: filepath.Join(g.Dir, "app.log"), rotation: lines / 12}
	if err := w.open(); err != nil {
		return err
	}
	defer func() { _ = w.file.Close() }() // the experiment is over
	p, err := g.Service(ctx, "lognorm", "lognorm", map[string]string{
		"LOGNORM_FILES": w.path, "LOGNORM_STATE_FILE": filepath.Join(g.Dir, "state"), "LOGNORM_SAVE_LINES": fmt.Sprint(perSave), "DRAIN_DELAY": "0s",
	})
	if err != nil {
		return err
	}
	kills, err := w.underFire(ctx, p, lines)
	if err != nil {
		return err
	}
	if err := drained(ctx, p); err != nil {
		return err
	}
	if err := p.Stop(ctx); err != nil {
		return err
	}
	t, err := account(filepath.Join(g.Dir, "lognorm.log"), w.next)
	if err != nil {
		return err
	}
	missing, double, wrong := t.verdict(w.known)
	r.Claim(proof.Exactly("lines that are missing", missing, 0, "lines"))
	r.Claim(proof.Exactly("lines with two identities", double, 0, "lines"))
	r.Claim(proof.Exactly("lines marked wrongly", wrong, 0, "lines"))
	r.Claim(proof.AtMost("records that were repeated, told by their identity", float64(t.repeated), float64(kills*perSave), "records"))
	r.Claim(proof.AtMost("lines of the output that a kill has cut off", float64(t.torn), float64(kills), "lines"))
	r.Measured("lines", float64(w.next), "lines")
	r.Measured("kill -9", float64(kills), "times")
	r.Measured("rotations by renaming", float64(w.renames), "times")
	r.Measured("rotations by copytruncate", float64(w.copies), "times")
	r.Measured("records repeated for each kill", float64(t.repeated)/float64(max(1, kills)), "records")
	r.Note("The writer pauses between copying and truncating, as copytruncate itself loses what is written in between. At most %d lines leave between two saves of the state.", perSave)
	return nil
}

// underFire writes the lines while the adapter is killed at random times, about
// ten times in all.
func (w *rotating) underFire(ctx context.Context, p *rig.Proc, lines int) (kills int, err error) {
	every := lines / 10
	next := every / 2
	for w.next < lines {
		if err := w.write(); err != nil {
			return kills, err
		}
		if w.next < next {
			continue
		}
		next += every
		if err := retry.Sleep(ctx, time.Duration(rand.IntN(60))*time.Millisecond); err != nil { // it reads on, for a random while
			return kills, err
		}
		p.Kill()
		kills++
		if w.next%2 == 0 { // some are written, and perhaps rotated, while nobody reads
			for range 20 {
				if err := w.write(); err != nil {
					return kills, err
				}
			}
		}
		if err := p.Restart(ctx); err != nil {
			return kills, err
		}
	}
	return kills, nil
}

// drained waits until everything was read and has left.
func drained(ctx context.Context, p *rig.Proc) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	last, quiet := -1, 0
	for quiet < 10 {
		s, err := askLognorm(ctx, p)
		if err != nil {
			return err
		}
		if s.Lag == 0 && s.Lines == last {
			quiet++
		} else {
			quiet = 0
		}
		last = s.Lines
		if err := retry.Sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
