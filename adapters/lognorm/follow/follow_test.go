package follow_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/follow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a directory of logs, a follower of it, and what the follower saved.
type world struct {
	*testing.T
	dir      string
	settings follow.Settings
	set      *follow.Set
	saved    map[follow.Identity]follow.Saved
	now      time.Time
	lost     []string
	ids      map[string]string // content → "ID@offset"
}

const grace = 5 * time.Second

func newWorld(t *testing.T, patterns ...string) *world {
	w := &world{T: t, dir: t.TempDir(), saved: map[follow.Identity]follow.Saved{}, now: time.Unix(1_700_000_000, 0), ids: map[string]string{}}
	for i, p := range patterns {
		patterns[i] = filepath.Join(w.dir, p)
	}
	w.settings = follow.Settings{Patterns: patterns, MaxOpen: 16, Grace: grace, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Lost: func(path string, n int64, why string) {
		w.lost = append(w.lost, fmt.Sprintf("%s %d %s", filepath.Base(path), n, why))
	}}
	w.start(true)
	t.Cleanup(func() { w.set.CloseAll() })
	return w
}

func (w *world) start(fresh bool) {
	var saved []follow.Saved
	for _, s := range w.saved {
		saved = append(saved, s)
	}
	w.set = follow.New(w.settings, saved, fresh)
}

// restart ends the follower as kill -9 does and starts one from what was saved.
func (w *world) restart() {
	w.set.CloseAll()
	w.start(false)
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// lines makes n lines that occur nowhere else.
func lines(tag string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s %04d of a line that is long enough to be recognised\n", tag, i)
	}
	return b.String()
}

func (w *world) append(name, text string) {
	w.Helper()
	f, err := os.OpenFile(w.path(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	w.must(err)
	_, err = f.WriteString(text)
	w.must(errors.Join(err, f.Close()))
}

func (w *world) rename(from, to string) { w.Helper(); w.must(os.Rename(w.path(from), w.path(to))) }
func (w *world) remove(name string)     { w.Helper(); w.must(os.Remove(w.path(name))) }

func (w *world) copyTo(from, to string) {
	w.Helper()
	b, err := os.ReadFile(w.path(from))
	w.must(err)
	w.must(os.WriteFile(w.path(to), b, 0o600))
}

func (w *world) truncate(name string) { w.Helper(); w.must(os.Truncate(w.path(name), 0)) }

// keep saves changes, as a checkpoint does.
func (w *world) keep(changes ...follow.Change) {
	for _, c := range changes {
		if c.Saved == nil {
			delete(w.saved, c.Identity)
			continue
		}
		w.saved[c.Identity] = *c.Saved
	}
}

// look looks and reads everything, at most limit bytes of each file.
func (w *world) look(limit int) string {
	w.Helper()
	w.now = w.now.Add(time.Second)
	w.set.Look(w.now)
	w.keep(w.set.Changes()...)
	return w.read(limit)
}

func (w *world) read(limit int) string {
	w.Helper()
	var out strings.Builder
	buf := make([]byte, 4096)
	for again := true; again; {
		again = false
		for _, f := range append([]*follow.File(nil), w.set.Files()...) {
			window, err := w.set.Read(f, buf, w.now)
			if errors.Is(err, follow.ErrChanged) {
				w.set.Begin(f, w.now)
				w.keep(w.set.Changes()...)
				again = true
				continue
			}
			w.must(err)
			window = window[:min(len(window), limit)]
			if len(window) > 0 {
				w.ids[string(window)] = fmt.Sprintf("%s@%d", f.ID, f.Offset())
				out.Write(window)
				w.set.Advance(f, window)
				w.keep(w.set.Moved(f))
				again = limit > 4000
			}
			if f.Lag() == 0 && f.Ended(w.now, grace) {
				w.set.Close(f)
				w.keep(w.set.Changes()...)
			}
		}
	}
	return out.String()
}

const everything = 1 << 20

func (w *world) wantRead(got, want string) {
	w.Helper()
	if got != want {
		w.Fatalf("read %d bytes:\n%.300s\nwant %d:\n%.300s", len(got), got, len(want), want)
	}
}

func (w *world) wantLost(want ...string) {
	w.Helper()
	if strings.Join(w.lost, ";") != strings.Join(want, ";") {
		w.Errorf("lost %q, want %q", w.lost, want)
	}
	w.lost = nil
}

func TestARenamedFileIsReadToItsEndAndTheNewOneFromItsBeginning(t *testing.T) {
	w := newWorld(t, "app.log")
	w.append("app.log", lines("a", 10))
	w.wantRead(w.look(everything), lines("a", 10))
	w.append("app.log", lines("b", 10))
	w.rename("app.log", "app.log.1")
	w.append("app.log.1", lines("late", 1)) // the writer has not noticed yet
	w.append("app.log", lines("c", 10))
	w.wantRead(w.look(everything), lines("b", 10)+lines("late", 1)+lines("c", 10))
	for range 10 {
		w.wantRead(w.look(everything), "")
	}
	for _, f := range w.set.Files() {
		if f.Current != f.Open() {
			t.Errorf("%s is current: %v, open: %v", f.Path, f.Current, f.Open())
		}
	}
	w.rename("app.log.1", "app.log.2") // the inode that was read is no new file
	w.append("app.log", lines("d", 1))
	w.wantRead(w.look(everything), lines("d", 1))
	w.wantLost()
}

func TestARemovedFileIsReadToItsEndWhileItIsOpen(t *testing.T) {
	w := newWorld(t, "app.log")
	w.append("app.log", lines("a", 200))
	w.look(100)
	w.remove("app.log")
	rest := w.look(everything)
	w.wantRead(rest, lines("a", 200)[100:])
	for range 10 {
		w.look(everything)
	}
	if len(w.set.Files()) != 0 || len(w.saved) != 0 {
		t.Errorf("%d files are kept, %d saved", len(w.set.Files()), len(w.saved))
	}
	w.wantLost()
}

func TestGenerationsBetweenTwoLooksAreFound(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		w := newWorld(t, "app.log")
		w.append("app.log", lines("a", 10))
		w.look(100)
		for i, tag := range []string{"b", "c", "d"} {
			for n := i + 1; n > 0; n-- {
				w.rename(rotated(n-1), rotated(n))
			}
			w.append("app.log", lines(tag, 10))
			w.must(os.Chtimes(w.path("app.log"), time.Time{}, time.Now().Add(time.Duration(i)*time.Second)))
		}
		if restarted {
			w.restart()
		}
		w.wantRead(w.look(everything), lines("a", 10)[100:]+lines("b", 10)+lines("c", 10)+lines("d", 10))
		w.wantLost()
	}
}

func rotated(n int) string {
	if n == 0 {
		return "app.log"
	}
	return fmt.Sprintf("app.log.%d", n)
}

// A busy second may have the same lines twice, in two files: both are read.
func TestGenerationsThatAreAlikeAreReadBoth(t *testing.T) {
	w := newWorld(t, "app.log")
	same := lines("same", 40)
	w.append("app.log", same)
	if got := w.look(1 << 20); got != same {
		t.Fatalf("read %d bytes of %d", len(got), len(same))
	}
	w.rename("app.log", "app.log.1")
	w.append("app.log", same)
	w.rename("app.log", "app.log.2")
	w.append("app.log", "")
	if got := w.look(1 << 20); got != same {
		t.Errorf("read %d bytes of %d of the second generation", len(got), len(same))
	}
}

func TestOldGenerationsAreNotReadAtTheFirstLook(t *testing.T) {
	w := newWorld(t, "app.log")
	w.append("app.log.2", lines("old", 10))
	w.append("app.log.1", lines("older", 10))
	w.append("app.log.1.gz", "compressed")
	w.append("app.log", lines("a", 2))
	w.append("other.log", lines("other", 2))
	w.wantRead(w.look(everything), lines("a", 2))
	w.rename("app.log.2", "app.log.3")
	w.append("app.log.1", lines("grown", 1)) // its writer is still there
	w.wantRead(w.look(everything), lines("grown", 1))
}

func TestCopyTruncateLosesAndRepeatsNothing(t *testing.T) {
	for _, restarted := range []string{"", "before the truncation", "after it"} {
		t.Run(restarted, func(t *testing.T) {
			w := newWorld(t, "app.log*")
			w.append("app.log", lines("a", 20))
			got := w.look(everything)
			w.append("app.log", lines("b", 20))
			got += w.look(500) // 500 bytes of b are read
			w.copyTo("app.log", "app.log.1")
			if restarted == "before the truncation" {
				got += w.look(10)
				w.restart()
				got += w.look(10)
			}
			w.truncate("app.log")
			w.append("app.log", lines("c", 3))
			if restarted == "after it" {
				w.restart()
			}
			got += w.look(everything)
			if strings.Count(got, lines("c", 3)) != 1 || strings.Replace(got, lines("c", 3), "", 1) != lines("a", 20)+lines("b", 20) {
				t.Errorf("read %d bytes, want %d", len(got), len(lines("a", 20)+lines("b", 20)+lines("c", 3)))
			}
			w.wantLost()
			w.wantRead(w.look(everything), "")
		})
	}
}

func TestACopyOfWhatWasNotReadYetIsReadOnce(t *testing.T) {
	w := newWorld(t, "app.log")
	w.append("app.log", lines("first", 1))
	w.look(everything)
	w.rename("app.log", "app.log.9")
	w.append("app.log", lines("a", 20))
	w.copyTo("app.log", "app.log.1")
	w.set.Look(w.now) // sees both, and reads none
	w.truncate("app.log")
	w.append("app.log", lines("b", 20))
	got := w.look(everything)
	if strings.Count(got, lines("a", 20)) != 1 || strings.Count(got, lines("b", 20)) != 1 {
		t.Errorf("read %d bytes: a %d times, b %d times", len(got), strings.Count(got, lines("a", 20)), strings.Count(got, "b 0000"))
	}
	w.wantLost()
}

// A large log is copied for longer than a look takes.
func TestACopyThatIsBeingMadeIsNotReadTwice(t *testing.T) {
	w := newWorld(t, "app.log")
	all := lines("a", 2000)
	w.append("app.log", all)
	got := w.look(everything)
	for at := 0; at < len(all); at += 10_007 {
		if at == 0 {
			w.append("app.log.1", "")
			got += w.look(everything)
		}
		w.append("app.log.1", all[at:min(at+10_007, len(all))])
		got += w.look(everything)
	}
	w.append("app.log", lines("late", 1)) // not in the copy
	got += w.look(everything)
	w.truncate("app.log")
	w.append("app.log", lines("b", 1))
	got += w.look(everything)
	for range 10 {
		got += w.look(everything)
	}
	w.wantRead(got, all+lines("late", 1)+lines("b", 1))
	w.wantLost()
}

func TestWhatIsTooShortToTellIsReadAfterAWhile(t *testing.T) {
	w := newWorld(t, "app.log")
	w.append("app.log", "same\n")
	w.look(everything)
	w.append("app.log.1", "same\n") // another generation, or a copy
	w.wantRead(w.look(everything), "")
	got := ""
	for range 10 {
		got += w.look(everything)
	}
	w.wantRead(got, "same\n")
}

func TestACopyThatWasMadeAfterTheLastLookIsReadOnce(t *testing.T) {
	w := newWorld(t, "app.log")
	w.append("app.log", lines("a", 20))
	w.set.Look(w.now)
	w.copyTo("app.log", "app.log.1")
	w.truncate("app.log")
	w.append("app.log", lines("b", 30))
	got := w.look(everything)
	if strings.Count(got, lines("a", 20)) != 1 || strings.Count(got, lines("b", 30)) != 1 {
		t.Errorf("read %d bytes: a %d times, b %d times", len(got), strings.Count(got, lines("a", 20)), strings.Count(got, "b 0000"))
	}
	w.wantLost()
}

func TestACopyHasTheIdentityOfItsOriginal(t *testing.T) {
	w := newWorld(t, "app.log")
	w.append("app.log", lines("a", 20))
	w.look(700)
	w.copyTo("app.log", "app.log.1")
	w.truncate("app.log")
	rest := w.look(everything)
	w.wantRead(rest, lines("a", 20)[700:])
	first, again := w.ids[lines("a", 20)[:700]], w.ids[rest]
	if id, _, _ := strings.Cut(first, "@"); again != id+"@700" {
		t.Errorf("%s goes on as %s", first, again)
	}
}

func TestWhatATruncationTakesAwayIsCounted(t *testing.T) {
	w := newWorld(t, "app.log")
	w.append("app.log", lines("a", 20))
	w.look(500)
	w.read(0) // it sees all of the file
	w.truncate("app.log")
	w.append("app.log", lines("b", 1))
	w.wantRead(w.look(everything), lines("b", 1))
	w.wantLost(fmt.Sprintf("app.log %d truncated", len(lines("a", 20))-500))
}

func TestATruncationBeforeAnythingWasReadIsCountedToo(t *testing.T) {
	for _, after := range []int{3, 50} { // shorter than before, and longer
		w := newWorld(t, "app.log")
		w.append("app.log", lines("a", 20))
		w.set.Look(w.now)
		w.truncate("app.log")
		w.append("app.log", lines("b", after))
		w.wantRead(w.look(everything), lines("b", after))
		w.wantLost(fmt.Sprintf("app.log %d truncated", len(lines("a", 20))))
	}
}

func TestAFileThatHasGrownPastTheOldPlaceIsBegunAgain(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		w := newWorld(t, "app.log")
		w.append("app.log", lines("a", 5))
		w.look(everything)
		w.truncate("app.log")
		w.append("app.log", lines("b", 50))
		if restarted {
			w.restart()
		}
		w.wantRead(w.look(everything), lines("b", 50))
		w.wantLost()
	}
}

// An inode that is used again is a new file: the same case as a truncation, on
// every file system.
func TestAnInodeOfAnOldGenerationThatIsUsedAgainIsANewFile(t *testing.T) {
	w := newWorld(t, "app.log")
	w.append("app.log", lines("a", 5))
	w.look(everything)
	w.rename("app.log", "app.log.1")
	w.append("app.log", lines("b", 5))
	for range 10 {
		w.look(everything)
	}
	w.remove("app.log")
	w.rename("app.log.1", "app.log") // the closed inode under the current name …
	w.truncate("app.log")            // … with other content
	w.append("app.log", lines("c", 9))
	w.wantRead(w.look(everything), lines("c", 9))
	w.wantLost()
}

func TestAFileThatIsRemovedWhileNobodyReadsIsCounted(t *testing.T) {
	w := newWorld(t, "app.log")
	w.append("app.log", lines("a", 20))
	w.look(500)
	w.read(0)
	w.set.Look(w.now)
	w.keep(w.set.Moved(w.set.Files()[0]))
	w.append("new", lines("b", 1)) // before the other goes, so that it has another inode
	w.rename("new", "app.log")
	w.restart()
	w.wantRead(w.look(everything), lines("b", 1))
	w.wantLost(fmt.Sprintf("app.log %d removed", len(lines("a", 20))-500))
}

func TestWhatIsThereAtTheStartCanBeLeftOut(t *testing.T) {
	w := newWorld(t, "app.log")
	w.settings.FromEnd = true
	w.append("app.log", lines("old", 20))
	w.start(true)
	w.wantRead(w.look(everything), "")
	w.append("app.log", lines("new", 1))
	w.wantRead(w.look(everything), lines("new", 1))
	w.rename("app.log", "app.log.1")
	w.append("app.log", lines("next", 1))
	w.restart()
	w.append("app.log", lines("more", 1))
	w.wantRead(w.look(everything), lines("next", 1)+lines("more", 1))
}

func TestALinkIsFollowedToTheFileThatItNames(t *testing.T) {
	w := newWorld(t, "app.INFO")
	w.append("app.log.INFO.1", lines("a", 5))
	w.must(os.Symlink("app.log.INFO.1", w.path("app.INFO")))
	w.wantRead(w.look(everything), lines("a", 5))
	w.append("app.log.INFO.1", lines("b", 5))
	w.append("app.log.INFO.2", lines("c", 5))
	w.remove("app.INFO")
	w.must(os.Symlink("app.log.INFO.2", w.path("app.INFO")))
	w.wantRead(w.look(everything), lines("b", 5)+lines("c", 5))
	w.wantLost()
}

// Who may write into the directory must not have other files read.
func TestALinkOutOfTheDirectoryIsNotFollowed(t *testing.T) {
	w := newWorld(t, "logs/*.log")
	var failed error
	w.settings.Failed = func(err error) { failed = err }
	w.start(true)
	w.must(os.Mkdir(w.path("logs"), 0o700))
	w.append("secret", lines("secret", 3))
	w.must(os.Symlink("../secret", w.path("logs/app.log")))
	w.must(os.Symlink(w.path("secret"), w.path("logs/absolute.log")))
	w.append("logs/plain.log", lines("plain", 1))
	w.wantRead(w.look(everything), lines("plain", 1))
	if failed == nil || !strings.Contains(failed.Error(), "a link out of its directory") {
		t.Errorf("told: %v", failed)
	}
}

func TestAPipeIsNotWaitedFor(t *testing.T) {
	w := newWorld(t, "*.log")
	w.must(syscall.Mkfifo(w.path("pipe.log"), 0o600))
	w.append("app.log", lines("a", 1))
	w.wantRead(w.look(everything), lines("a", 1))
}

func TestMoreFilesThanMayBeOpenAreReadInTurn(t *testing.T) {
	w := newWorld(t, "*.log")
	w.settings.MaxOpen = 3
	w.start(true)
	want := map[string]bool{}
	for i := range 10 {
		w.append(fmt.Sprintf("%d.log", i), lines(fmt.Sprint("f", i), 2))
		want[lines(fmt.Sprint("f", i), 2)] = true
	}
	var got string
	for range 10 {
		got += w.look(everything)
	}
	w.append("0.log", lines("again", 1))
	for range 3 {
		got += w.look(everything)
	}
	want[lines("again", 1)] = true
	for text := range want {
		if strings.Count(got, text) != 1 {
			t.Errorf("%.10s was read %d times", text, strings.Count(got, text))
		}
	}
}

func TestAFileThatIsNotThereYetIsFoundLater(t *testing.T) {
	w := newWorld(t, "later/app.log")
	w.wantRead(w.look(everything), "")
	w.must(os.Mkdir(w.path("later"), 0o700))
	w.append("later/app.log", lines("a", 1))
	w.wantRead(w.look(everything), lines("a", 1))
}
