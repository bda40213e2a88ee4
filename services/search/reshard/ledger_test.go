package reshard

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/document"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A modelled log is its partitions in memory.
type modelled [][]doclog.Record

func (m modelled) append(p int32, r doclog.Record) {
	if n := len(m[p]); n > 0 {
		r.Offset = m[p][n-1].Offset + 1
	}
	m[p] = append(m[p], r)
}

// compact takes away what a broker may: records behind which there is one of their key, but for the last one of all.
func (m modelled) compact(p int32, chosen func() bool) {
	last := map[string]int64{}
	for _, r := range m[p] {
		last[string(r.Kind)+r.ID] = r.Offset
	}
	var kept []doclog.Record
	for _, r := range m[p] {
		if last[string(r.Kind)+r.ID] == r.Offset || !chosen() {
			kept = append(kept, r)
		}
	}
	m[p] = kept
}

// state is what a reader of the whole log has, of each partition up to its seal.
func (m modelled) state(sealed string) map[string]string {
	s := map[string]string{}
	for _, records := range m {
		for _, r := range records {
			if r.Kind == doclog.Seal && r.ID == sealed {
				break
			}
			if r.Kind != doclog.Document {
				continue
			}
			delete(s, r.ID)
			if r.Document != nil {
				s[r.ID] = r.Document.Text
			}
		}
	}
	return s
}

// A schedule copies a modelled log by drivers that end at any place.
type schedule struct {
	t        *rapid.T
	old, now modelled
	placed   *doclog.Placement
	ledger   *ledger
	read     []int // records of each old partition that this driver has taken
}

// restart is another driver: it reads what the new log has.
func (s *schedule) restart() {
	s.ledger, s.read = newLedger(len(s.old), s.placed), make([]int, len(s.old))
	for q, records := range s.now {
		for _, r := range records {
			s.ledger.held(int32(q), r)
		}
	}
}

// copy takes some records of a partition. The driver may end between the records that it appends: then it is false.
func (s *schedule) copy(p int32, n int, survives int) bool {
	from := s.read[p]
	to := min(from+n, len(s.old[p]))
	s.read[p] = to
	put := func(q int32, r doclog.Record) bool {
		if survives--; survives < 0 {
			return false
		}
		s.now.append(q, r)
		at := s.now[q][len(s.now[q])-1]
		s.ledger.held(q, at)
		return true
	}
	share := s.ledger.take(p, "next", s.old[p][from:to])
	for q, records := range share.records {
		for _, r := range records {
			if !put(int32(q), r) {
				return false
			}
		}
	}
	for _, name := range share.marks {
		if !s.ledger.mark(p, name) {
			continue
		}
		for q := range s.now {
			if !s.ledger.hasMark(int32(q), name) && !put(int32(q), doclog.Note(name)) {
				return false
			}
		}
	}
	return true
}

func TestEveryScheduleOfDriversEndsInTheSameDocuments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.IntRange(1, 4).Draw(t, "from"), rapid.IntRange(1, 5).Draw(t, "to")
		before, err1 := doclog.NewPlacement(doclog.Modulo, n)
		after, err2 := doclog.NewPlacement(rapid.SampledFrom([]string{doclog.Modulo, doclog.Jump}).Draw(t, "placement"), m)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		s := &schedule{t: t, old: make(modelled, n), now: make(modelled, m), placed: after}
		s.restart()
		writes := 0
		write := func() {
			writes++
			id := fmt.Sprint("d", rapid.IntRange(0, 40).Draw(t, "id"))
			r := doclog.Delete(id)
			if rapid.IntRange(0, 3).Draw(t, "deletes") > 0 {
				r = doclog.Put(document.Document{ID: id, Text: fmt.Sprint(writes)})
			}
			s.old.append(before.Of(id), r)
		}
		step := func() {
			if !s.copy(int32(rapid.IntRange(0, n-1).Draw(t, "partition")), rapid.IntRange(1, 20).Draw(t, "records"), rapid.IntRange(0, 12).Draw(t, "survives")) {
				s.restart()
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				for range rapid.IntRange(1, 8).Draw(t, "writes") {
					write()
				}
			},
			"copy": func(*rapid.T) { step() },
			"mark": func(*rapid.T) {
				for p := range s.old {
					s.old.append(int32(p), doclog.Note("all"))
				}
			},
			"one mark": func(*rapid.T) { s.old.append(0, doclog.Note("one")) },
			"compact the new log": func(t *rapid.T) {
				s.now.compact(int32(rapid.IntRange(0, m-1).Draw(t, "q")), func() bool { return rapid.Bool().Draw(t, "goes") })
			},
			"end": func(*rapid.T) { s.restart() },
			"": func(t *rapid.T) {
				if err := s.ledger.sound(); err != nil {
					t.Fatal(err)
				}
			},
		})
		for p := range s.old {
			s.old.append(int32(p), doclog.Sealed("next"))
		}
		write() // what nobody was told of
		for done := false; !done; {
			done = true
			for p := range s.old {
				if !s.copy(int32(p), len(s.old[p]), 1<<30) {
					t.Fatal("a driver that does not end has ended")
				}
			}
		}
		if err := s.ledger.compare(); err != nil {
			t.Fatal(err)
		}
		if want, have := s.old.state("next"), s.now.state("next"); !maps.Equal(want, have) {
			t.Fatalf("the copy has %v, want %v", have, want)
		}
		if _, late, sealed := s.ledger.state(); late != 1 || sealed != n {
			t.Fatalf("%d late, %d sealed", late, sealed)
		}
		for q := range s.now {
			marks := map[string]bool{}
			for _, r := range s.now[q] {
				if r.Kind == doclog.Mark {
					marks[r.ID] = true
				}
			}
			if marks["one"] && n > 1 {
				t.Fatal("a mark that only one partition has is copied")
			}
		}
	})
}

func TestALedgerFindsWhatNoCopyMakes(t *testing.T) {
	placed, err := doclog.NewPlacement(doclog.Modulo, 1)
	if err != nil {
		t.Fatal(err)
	}
	record := func(offset int64) doclog.Record {
		r := doclog.Put(document.Document{ID: "a", Text: "x"})
		r.Source = &doclog.Source{Offset: offset}
		return r
	}
	l := newLedger(1, placed)
	l.held(0, record(5))
	l.held(0, record(4))
	if l.sound() == nil {
		t.Error("an older record behind a newer one")
	}
	l = newLedger(1, placed)
	l.held(0, doclog.Put(document.Document{ID: "a"}))
	if l.sound() == nil {
		t.Error("a record that was not copied")
	}
	l = newLedger(1, placed)
	l.held(0, record(5))
	if err := l.compacted(); !errors.Is(err, ErrCompacted) {
		t.Errorf("a document that the old log does not tell of: %v", err)
	}
	l = newLedger(1, placed)
	l.take(0, "next", []doclog.Record{doclog.Put(document.Document{ID: "a"})})
	if l.compare() == nil {
		t.Error("a document that is not copied")
	}
}

func TestACopyIsNotLevelBeforeAllEndsWereSeen(t *testing.T) {
	placed, err := doclog.NewPlacement(doclog.Modulo, 5)
	if err != nil {
		t.Fatal(err)
	}
	c := &copier{ledger: newLedger(2, placed)}
	c.ledger.read(0, 3)
	if err := behind(c, 1<<40); err == nil || err.Error() != "the ends of the old log have not all been seen" {
		t.Errorf("with one of two ends: %v", err)
	}
	c.ledger.read(1, 4)
	if err := behind(c, 6); err == nil || err.Error() != "the copy is 7 records behind" {
		t.Errorf("7 behind: %v", err)
	}
	if err := behind(c, 7); err != nil {
		t.Errorf("level enough: %v", err)
	}
}
