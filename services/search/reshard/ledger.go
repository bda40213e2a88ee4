package reshard

import (
	"errors"
	"fmt"
	"sync"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

// A place is that of the newest record of an id in the old log.
type place struct {
	doclog.Source
	deleted bool
}

// A ledger knows what of the old log is in the new one. It is safe for concurrent use. It takes about 200 bytes for each id.
type ledger struct {
	placed *doclog.Placement
	from   int // partitions of the old log

	mu     sync.Mutex // guards all below
	done   [][]int64  // by old and new partition: the last offset that was copied; -1: none
	newest map[string]place
	copied map[string]place          // as the new log has it
	marks  map[string]map[int32]bool // old partitions that have a mark
	marked []map[string]bool         // by new partition
	wrong  error                     // the new log is none that a copy makes
	sealed map[int32]int64           // offset of the seal of an old partition
	behind map[int32]int64           // records of an old partition that were not read yet, when its end was last seen
	late   int64                     // documents behind the seals
}

func newLedger(from int, placed *doclog.Placement) *ledger {
	l := &ledger{placed: placed, from: from, newest: map[string]place{}, copied: map[string]place{}, marks: map[string]map[int32]bool{},
		sealed: map[int32]int64{}, behind: map[int32]int64{}}
	for range from {
		row := make([]int64, placed.Shards())
		for q := range row {
			row[q] = -1
		}
		l.done = append(l.done, row)
	}
	for range placed.Shards() {
		l.marked = append(l.marked, map[string]bool{})
	}
	return l
}

// held notes a record of the new log.
func (l *ledger) held(q int32, r doclog.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.Kind == doclog.Mark:
		l.marked[q][r.ID] = true
		return
	case r.Kind != doclog.Document:
		return
	case r.Source == nil || int(r.Source.Partition) >= l.from:
		l.broken("record %d of its partition %d was not copied: somebody else writes to it", r.Offset, q)
		return
	case l.placed.Of(r.ID) != q:
		l.broken("%.40q is in partition %d, where it does not belong", r.ID, q)
		return
	}
	now := place{*r.Source, r.Document == nil}
	if last, is := l.copied[r.ID]; is && (last.Partition != now.Partition || last.Offset > now.Offset) {
		l.broken("%.40q of %d:%d is behind that of %d:%d", r.ID, now.Partition, now.Offset, last.Partition, last.Offset)
	}
	l.copied[r.ID] = now
	row := l.done[r.Source.Partition]
	row[q] = max(row[q], r.Source.Offset)
}

func (l *ledger) broken(format string, args ...any) {
	if l.wrong == nil {
		l.wrong = fmt.Errorf("the new log is not the copy of the old one: "+format, args...)
	}
}

// A share is what a batch of an old partition brings to the new ones.
type share struct {
	records [][]doclog.Record // by new partition
	marks   []string          // that are in it
}

// take notes records of an old partition, and returns what of them is to be copied. It is called in order for each partition, and after
// held for all that the new log had.
func (l *ledger) take(p int32, name string, records []doclog.Record) (s share) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.records = make([][]doclog.Record, l.placed.Shards())
	for _, r := range records {
		if _, ended := l.sealed[p]; ended {
			if r.Kind == doclog.Document {
				l.late++
			}
			continue
		}
		switch r.Kind {
		case doclog.Seal:
			if r.ID == name {
				l.sealed[p] = r.Offset
			}
		case doclog.Mark:
			s.marks = append(s.marks, r.ID)
		case doclog.Document:
			source := doclog.Source{Partition: p, Offset: r.Offset}
			l.newest[r.ID] = place{source, r.Document == nil}
			q := l.placed.Of(r.ID)
			if r.Offset > l.done[p][q] {
				r.Source = &source
				s.records[q] = append(s.records[q], r)
			}
		}
	}
	return s
}

// mark notes that an old partition is copied up to a mark. It tells whether with it all are.
func (l *ledger) mark(p int32, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.marks[name] == nil {
		l.marks[name] = map[int32]bool{}
	}
	if l.marks[name][p] {
		return false
	}
	l.marks[name][p] = true
	return len(l.marks[name]) == l.from
}

// hasMark tells whether a new partition has a mark already.
func (l *ledger) hasMark(q int32, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.marked[q][name]
}

// sound is nil while the new log is what a copy makes.
func (l *ledger) sound() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}

// ErrCompacted says that a document is in the new log that was deleted so long ago that the old one does not tell of it any more.
var ErrCompacted = errors.New("the driver was away for longer than deletions stay in the log: abort, and begin anew with another topic")

// compare holds the copy against the old log, when both were read to the end: every id has its newest record, or is deleted in both.
func (l *ledger) compare() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong != nil {
		return l.wrong
	}
	for id, want := range l.newest {
		have, is := l.copied[id]
		switch {
		case is && have != want:
			return fmt.Errorf("the copy is not exact: of %.40q it has %+v, want %+v", id, have, want)
		case !is && !want.deleted:
			return fmt.Errorf("the copy is not exact: %.40q of %+v is not there", id, want)
		}
	}
	return l.forgotten()
}

// compacted finds deletions that the old log does not tell of any more, as soon as it was read to where it ended at the beginning.
func (l *ledger) compacted() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.forgotten()
}

func (l *ledger) forgotten() error {
	for id, have := range l.copied {
		if _, is := l.newest[id]; !is && !have.deleted {
			return fmt.Errorf("%.40q: %w", id, ErrCompacted)
		}
	}
	return nil
}

// unseen is how far behind a copy is that does not yet know: more than anything.
const unseen = 1 << 62

// state is how far the copy is.
func (l *ledger) state() (behind, late int64, sealed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.behind) < l.from {
		return unseen, l.late, len(l.sealed)
	}
	for _, n := range l.behind {
		behind += n
	}
	return behind, l.late, len(l.sealed)
}

func (l *ledger) read(p int32, behind int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind[p] = behind
}

func (l *ledger) isSealed(p int32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, is := l.sealed[p]
	return is
}
