package book

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var limits = Options{Limits: Limits{Accounts: 100, Entries: 100, File: 1 << 20}}

// kept is a book that can be closed and opened again.
type kept struct {
	*Book
	t    *testing.T
	path string
	o    Options
}

func open(t *testing.T, o Options) *kept {
	t.Helper()
	k := &kept{t: t, path: filepath.Join(t.TempDir(), "shard-0.ledger"), o: o}
	k.again()
	t.Cleanup(func() { _ = k.Close() }) // some tests close it themselves
	return k
}

// again opens the book as a restarted process does.
func (k *kept) again() {
	k.t.Helper()
	if k.Book != nil {
		if err := k.Close(); err != nil {
			k.t.Fatal(err)
		}
	}
	b, err := Open(k.path, k.o)
	if err != nil {
		k.t.Fatal(err)
	}
	k.Book = b
}

func claim(token int) wire.Claim {
	return wire.Claim{Owner: fmt.Sprintf("o%d@h:1#r", token), Token: lease.Token(token), Version: "v"}
}

func order(n int, id, account string, amount, balance int64, version uint64) wire.Order {
	return wire.Order{ID: id, Account: account, Amount: amount, Balance: balance, Version: version, Sequence: uint64(n)}
}

func (k *kept) record(c wire.Claim, o wire.Order) {
	k.t.Helper()
	if e, replayed, err := k.Record(c, o); err != nil || replayed || e.Order != o || e.Token != c.Token {
		k.t.Fatalf("%+v: %+v, %v, %v", o, e, replayed, err)
	}
}

func (k *kept) stale(what string, err error) {
	k.t.Helper()
	var s *Stale
	if !errors.As(err, &s) {
		k.t.Errorf("%s: %v", what, err)
	}
}

func TestAFormerOwnerIsRefusedFromTheMomentOnThatItsSuccessorOpens(t *testing.T) {
	k := open(t, limits)
	k.record(claim(1), order(1, "a", "alice", 5, 5, 1))
	if at, err := k.Admit(claim(2)); err != nil || at.Sequence != 1 || at.Token != 2 {
		t.Fatalf("%+v, %v", at, err)
	}
	// The successor has recorded nothing yet, so this would be the next entry.
	_, _, err := k.Record(claim(1), order(2, "b", "alice", 5, 10, 2))
	k.stale("an entry", err)
	_, err = k.Account(claim(1), "alice")
	k.stale("a look", err)
	_, _, err = k.Entry(claim(1), "a")
	k.stale("an id", err)
	_, err = k.Admit(claim(1))
	k.stale("opening", err)
	k.record(claim(2), order(2, "c", "alice", 1, 6, 2))
}

func TestTheFenceSurvivesARestart(t *testing.T) {
	k := open(t, limits)
	k.record(claim(1), order(1, "a", "alice", 5, 5, 1))
	if _, err := k.Admit(claim(7)); err != nil {
		t.Fatal(err)
	}
	k.again()
	_, _, err := k.Record(claim(6), order(2, "b", "alice", 5, 10, 2))
	k.stale("after a restart", err)
	if a, err := k.Account(claim(7), "alice"); err != nil || a.Balance != 5 || a.Version != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestALookOfANewOwnerFencesToo(t *testing.T) {
	k := open(t, limits)
	if _, err := k.Account(claim(3), "nobody"); err != nil {
		t.Fatal(err)
	}
	k.again()
	_, err := k.Admit(claim(2))
	k.stale("after the look of a newer one", err)
}

func TestTwoOwnersWithOneTokenCannotBe(t *testing.T) {
	k := open(t, limits)
	if _, err := k.Admit(claim(3)); err != nil {
		t.Fatal(err)
	}
	other := claim(3)
	other.Owner = "other@h:1#r"
	_, err := k.Admit(other)
	k.stale("another owner", err)
}

func TestEntriesComeInSequenceAndOnce(t *testing.T) {
	k := open(t, limits)
	k.record(claim(1), order(1, "a", "alice", 5, 5, 1))
	for _, n := range []int{1, 3} {
		if _, _, err := k.Record(claim(1), order(n, "b", "alice", 5, 10, 2)); !errors.Is(err, ErrSequence) {
			t.Errorf("number %d: %v", n, err)
		}
	}
	for range 2 {
		e, replayed, err := k.Record(claim(1), order(9, "a", "alice", 5, 99, 9))
		if err != nil || !replayed || e.Sequence != 1 || e.Balance != 5 {
			t.Errorf("%+v, %v, %v", e, replayed, err)
		}
		k.again()
	}
	for _, o := range []wire.Order{order(2, "a", "bob", 5, 5, 1), order(2, "a", "alice", 6, 6, 1)} {
		if _, _, err := k.Record(claim(1), o); !errors.Is(err, ErrReused) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestOfManyWithOneNumberOneIsRecorded(t *testing.T) {
	k := open(t, limits)
	var recorded sync.Map
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if _, _, err := k.Record(claim(1), order(1, fmt.Sprint("id", i), "alice", int64(i+1), int64(i+1), 1)); err == nil {
				recorded.Store(i, true)
			} else if !errors.Is(err, ErrSequence) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n := 0
	recorded.Range(func(any, any) bool { n++; return true })
	if n != 1 || k.Peek().Sequence != 1 {
		t.Errorf("%d were recorded: %+v", n, k.Peek())
	}
}

func TestABookHasBounds(t *testing.T) {
	k := open(t, Options{Limits: Limits{Accounts: 2, Entries: 3, File: 4 << 10}})
	k.record(claim(1), order(1, "first", "a", 1, 1, 1))
	k.record(claim(1), order(2, "second", "b", 1, 1, 1))
	if _, _, err := k.Record(claim(1), order(3, "x", "c", 1, 1, 1)); !errors.Is(err, ErrFull) {
		t.Errorf("%v", err)
	}
	for n := 3; n <= 200; n++ {
		k.record(claim(1), order(n, fmt.Sprint("id", n), "a", 1, int64(n-1), uint64(n-1)))
		if n == 100 {
			k.again()
		}
	}
	if _, known, err := k.Entry(claim(1), "first"); known || err != nil {
		t.Errorf("the oldest id is still known: %v", err)
	}
	if e, known, err := k.Entry(claim(1), "id200"); !known || err != nil || e.Balance != 199 {
		t.Errorf("%+v, %v, %v", e, known, err)
	}
	if all := k.Entries("", 10); len(all) != 3 || all[0].ID != "id200" || all[2].ID != "id198" {
		t.Errorf("%+v", all)
	}
	if all := k.Entries("b", 10); len(all) != 0 {
		t.Errorf("%+v", all)
	}
	info, err := os.Stat(k.path)
	if err != nil || info.Size() > 8<<10 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	k.again()
	if a, err := k.Account(claim(1), "b"); err != nil || a.Balance != 1 {
		t.Errorf("an account without new entries: %+v, %v", a, err)
	}
	if at := k.Peek(); at.Sequence != 200 || at.Token != 1 || at.Accounts != 2 {
		t.Errorf("%+v", at)
	}
}

func TestATornLineIsCutOffAndOtherDamageIsAnError(t *testing.T) {
	for name, damage := range map[string]func(string) string{
		"half a line":                   func(s string) string { return s[:len(s)-7] },
		"no line feed":                  func(s string) string { return s[:len(s)-1] },
		"garbage that ends like one":    func(s string) string { return s + "0000 garbage\n" },
		"a last line with a wrong byte": func(s string) string { return s[:len(s)-4] + "X" + s[len(s)-3:] },
	} {
		k := open(t, limits)
		k.record(claim(1), order(1, "a", "alice", 5, 5, 1))
		k.record(claim(1), order(2, "b", "alice", 5, 10, 2))
		whole := rewrite(t, k, damage)
		b, err := Open(k.path, limits)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		k.Book = b
		next := int(k.Peek().Sequence) + 1
		if len(whole) > 0 && (next < 2 || next > 3) {
			t.Errorf("%s: %+v", name, k.Peek())
		}
		k.record(claim(1), order(next, "c", "alice", 1, 6, 2))
		k.again()
		if int(k.Peek().Sequence) != next {
			t.Errorf("%s: %+v", name, k.Peek())
		}
	}
	for name, damage := range map[string]func(string) string{
		"a wrong byte in the middle": func(s string) string { return s[:20] + "X" + s[21:] },
		"a line of nothing":          func(s string) string { return "ffffffff {}\n" + s },
		"a line is missing a field":  func(s string) string { return line(t, `{}`) + s },
		"an entry that is none":      func(s string) string { return s + line(t, `{"entry":{"id":"!"}}`) },
	} {
		k := open(t, limits)
		k.record(claim(1), order(1, "a", "alice", 5, 5, 1))
		k.record(claim(1), order(2, "b", "alice", 5, 10, 2))
		rewrite(t, k, damage)
		if b, err := Open(k.path, limits); err == nil {
			_ = b.Close() // it is of no use
			t.Errorf("%s: it was opened", name)
		}
	}
}

func line(t *testing.T, text string) string {
	t.Helper()
	return fmt.Sprintf("%08x %s\n", checksum([]byte(text)), text)
}

// rewrite closes a book and damages its file.
func rewrite(t *testing.T, k *kept, damage func(string) string) string {
	t.Helper()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(k.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.path, []byte(damage(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAFolderIsMadeWithThoseAboveIt(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b", "c")
	for range 2 { // it may be there
		if err := MakeDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(filepath.Join(file, "below")); err == nil {
		t.Error("a folder below a file")
	}
}

func TestABookThatCannotBeWrittenIsBrokenForGood(t *testing.T) {
	k := open(t, limits)
	k.record(claim(1), order(1, "a", "alice", 5, 5, 1))
	if err := k.Close(); err != nil { // as a disk does that goes away
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := k.Record(claim(1), order(2, "b", "alice", 5, 10, 2)); !errors.Is(err, ErrBroken) {
			t.Errorf("%v", err)
		}
		if _, err := k.Account(claim(1), "alice"); !errors.Is(err, ErrBroken) {
			t.Errorf("%v", err)
		}
	}
	b, err := Open(k.path, limits)
	if err != nil {
		t.Fatal(err)
	}
	k.Book = b
	if at := k.Peek(); at.Sequence != 1 {
		t.Errorf("%+v", at)
	}
}

// The lesson: what a worker without the check makes of the very interleaving above.
func TestABlindBookLosesAnEntry(t *testing.T) {
	o := limits
	o.Blind = true
	k := open(t, o)
	k.record(claim(1), order(1, "a", "alice", 5, 5, 1))
	k.record(claim(2), order(2, "c", "alice", 1, 6, 2))  // the successor's
	k.record(claim(1), order(2, "b", "alice", 5, 10, 2)) // late, of the former owner
	if a, err := k.Account(claim(2), "alice"); err != nil || a.Balance != 10 {
		t.Errorf("%+v, %v: 5 + 1 + 5 is 11, and the lesson is that it became 10", a, err)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func FuzzParse(f *testing.F) {
	c := claim(3)
	e := wire.Entry{Order: order(1, "a", "alice", 5, 5, 1), Owner: "o@h:1#r", Token: 3}
	for _, ch := range []change{{Fence: &c}, {Entry: &e}, {State: &snapshot{Fence: c, Sequence: 1, Accounts: []wire.Account{{Account: "alice"}}, Entries: []wire.Entry{e}}}} {
		text := must(format(ch))
		f.Add(text[:len(text)-1])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ch, err := parse(text)
		if err != nil {
			return
		}
		b := &Book{limits: limits.Limits, ids: map[string]int{}, state: state{Accounts: map[string]wire.Account{}}}
		_ = b.replay(ch) // must not panic
		again, err := format(ch)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if _, err := parse(again[:len(again)-1]); err != nil {
			t.Errorf("%s: %v", again, err)
		}
	})
}
