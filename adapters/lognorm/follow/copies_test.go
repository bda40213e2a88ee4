package follow_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// wantOnce holds that each part was read once, wherever.
func (w *world) wantOnce(got string, parts ...string) {
	w.Helper()
	total := 0
	for _, part := range parts {
		total += len(part)
		if n := strings.Count(got, part); n != 1 {
			w.Errorf("what begins with %.9q was read %d times", part, n)
		}
	}
	if len(got) != total {
		w.Errorf("read %d bytes, want %d", len(got), total)
	}
}

func (w *world) size(name string) int64 {
	info, err := os.Stat(w.path(name))
	if err != nil {
		return 0
	}
	return info.Size()
}

// looks looks until everything that waits for a while has waited for it.
func (w *world) looks() (got string) {
	w.Helper()
	for range 10 {
		got += w.look(everything)
	}
	return got
}

// The same as TestGenerationsThatAreAlikeAreReadBoth, where the pattern matches
// generations too: each of them could be a file that is about to be truncated.
func TestGenerationsThatMatchAndAreAlikeAreReadBoth(t *testing.T) {
	w := newWorld(t, "app.log*")
	same := lines("same", 40)
	w.append("app.log", same)
	w.wantRead(w.look(everything), same)
	w.rename("app.log", "app.log.1")
	w.append("app.log", same)
	w.rename("app.log", "app.log.2")
	w.append("app.log", "")
	w.wantRead(w.looks(), same)
	w.wantLost()
}

func TestAFileWithTheBannerOfAnotherIsRead(t *testing.T) {
	banner := strings.Repeat("##### the same banner at each start of the program #####\n", 20)
	for _, end := range []string{"it stays", "it is removed", "its like is removed"} {
		t.Run(end, func(t *testing.T) {
			w := newWorld(t, "*.log")
			w.append("server.log", banner+lines("a", 40))
			w.look(everything)
			w.append("server-2.log", banner)
			got := w.look(everything) // so far it may be a copy that is being made
			for i := range 20 {       // it grows all the time, and stays smaller than the other
				w.append("server-2.log", lines("b", 20)[i*len(lines("b", 1)):][:len(lines("b", 1))])
				got += w.look(everything)
			}
			w.wantRead(got, banner+lines("b", 20))
			switch end {
			case "it is removed":
				w.append("server-2.log", lines("last", 1))
				w.remove("server-2.log")
				w.wantRead(w.looks(), lines("last", 1))
			case "its like is removed":
				w.remove("server.log")
				w.wantRead(w.looks(), "")
			}
			w.wantLost()
		})
	}
}

// A banner and no more is what a copy looks like that is being made.
func TestABannerAloneIsReadAfterAWhile(t *testing.T) {
	w := newWorld(t, "*.log")
	banner := lines("banner", 20)
	w.append("server.log", banner+lines("a", 40))
	w.look(everything)
	w.append("server-2.log", banner)
	w.wantRead(w.look(everything), "")
	w.remove("server-2.log")
	w.wantRead(w.looks(), banner)
	w.wantLost()
}

// Only generations are copies: two programs may write the same.
func TestFilesOfUnlikeNamesAreReadBothAtOnce(t *testing.T) {
	w := newWorld(t, "*.log")
	w.append("one.log", lines("same", 40))
	w.look(everything)
	w.append("two.log", lines("same", 40))
	w.wantRead(w.look(everything), lines("same", 40))
}

// copytruncate and then a rename: the copy's original is a generation itself.
func TestACopyOfAGenerationThatWasTruncatedIsReadOn(t *testing.T) {
	for what, seen := range map[string]func(w *world) string{
		"some was read":    func(w *world) string { return w.look(500) },
		"nothing was read": func(w *world) string { w.set.Look(w.now); return "" },
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, "app.log")
			w.append("app.log", lines("a", 20))
			got := seen(w)
			w.copyTo("app.log", "app.log.2")
			w.truncate("app.log")
			w.append("app.log", lines("c", 2))
			w.rename("app.log", "app.log.1")
			w.append("app.log", lines("d", 1))
			got += w.looks()
			w.wantOnce(got, lines("a", 20)[:500], lines("a", 20)[500:], lines("c", 2), lines("d", 1))
			w.wantLost()
		})
	}
}

// The banner hides that the file was truncated, unless it is shorter now.
func TestACopyIsReadWhereTheTruncatedFileBeginsAlike(t *testing.T) {
	for _, after := range []int{3, 40} {
		w := newWorld(t, "app.log")
		banner := lines("banner", 20)
		w.append("app.log", banner+lines("a", 30))
		w.set.Look(w.now)
		w.copyTo("app.log", "app.log.1")
		w.truncate("app.log")
		w.append("app.log", banner+lines("b", after))
		w.wantOnce(w.looks(), banner+lines("a", 30), banner+lines("b", after))
		w.wantLost()
	}
}

func TestTheLargestCopyIsReadOn(t *testing.T) {
	all := lines("a", 40)
	for _, sizes := range [][2]int{{1500, len(all)}, {len(all), 1500}} {
		w := newWorld(t, "app.log")
		w.append("app.log", all)
		got := w.look(1000)
		for i, size := range sizes {
			w.append(rotated(i+1), all[:size])
			got += w.look(10)
		}
		w.truncate("app.log")
		w.append("app.log", lines("c", 1))
		got += w.looks()
		w.wantOnce(got, all, lines("c", 1))
		w.wantLost()
	}
}

// A copy is never compared with another one, which will not be truncated.
func TestTwoCopiesThatAreBeingMadeAreReadOnce(t *testing.T) {
	for _, pattern := range []string{"app.log", "app.log*"} {
		w := newWorld(t, pattern)
		all := lines("a", 100)
		w.append("app.log", all)
		got := w.look(everything)
		for _, size := range []int{100, 2000, len(all)} {
			for n := 1; n <= 2; n++ {
				w.append(rotated(n), all[w.size(rotated(n)):size])
				w.must(os.Chtimes(w.path(rotated(n)), time.Time{}, time.Unix(int64(n), 0))) // they are found before the log
			}
			got += w.look(everything)
		}
		w.truncate("app.log")
		w.append("app.log", lines("b", 1))
		got += w.looks()
		w.wantRead(got, all+lines("b", 1))
		w.wantLost()
	}
}

// Generations that match and begin with a banner look like originals, too.
func TestACopyIsThatOfTheFileThatGoesOnAlike(t *testing.T) {
	w := newWorld(t, "app.log*")
	banner := lines("banner", 20)
	w.append("app.log.1", banner+lines("a", 40))
	w.must(os.Chtimes(w.path("app.log.1"), time.Time{}, time.Unix(1, 0)))
	w.append("app.log", banner+lines("b", 20))
	w.start(false)
	got := w.look(100)
	w.copyTo("app.log", "app.log.2")
	got += w.look(10)
	w.truncate("app.log")
	got += w.looks()
	if n := strings.Count(got, lines("b", 20)); n != 1 {
		t.Errorf("b was read %d times", n)
	}
	if want := 2*len(banner) + len(lines("a", 40)+lines("b", 20)); len(got) != want {
		t.Errorf("read %d bytes, want %d", len(got), want)
	}
	w.wantLost()
}

// It cannot be compared any more.
func TestAFileWithTheBannerOfOneThatWasClosedIsRead(t *testing.T) {
	w := newWorld(t, "*.log")
	w.settings.MaxOpen = 1
	w.start(true)
	banner := lines("banner", 20)
	w.append("server.log", banner+lines("a", 40))
	w.look(everything)
	w.append("server-2.log", banner)
	got := w.look(everything)
	w.append("server-2.log", lines("b", 1))
	w.remove("server.log")
	w.wantRead(got+w.looks(), banner+lines("b", 1))
	w.wantLost("server.log 0 removed")
}

func TestCompressedGenerationsAreNotRead(t *testing.T) {
	for _, pattern := range []string{"app.log", "app.log*"} {
		w := newWorld(t, pattern)
		w.append("app.log", lines("a", 1))
		w.look(everything)
		w.append("app.log.1.gz", lines("compressed", 20))
		w.wantRead(w.looks(), "")
	}
}

// Its original was not read to the end: the copy alone will have the rest.
func TestACopyThatWaitsIsNotClosedToMakeRoom(t *testing.T) {
	w := newWorld(t, "*.log")
	w.settings.MaxOpen = 2
	w.start(true)
	w.append("app.log", lines("a", 40))
	got := w.look(500)
	w.copyTo("app.log", "app-1.log")
	got += w.look(10)
	w.append("other.log", lines("b", 1))
	got += w.look(10)
	w.truncate("app.log")
	got += w.looks()
	w.wantOnce(got, lines("a", 40), lines("b", 1))
	w.wantLost()
}

// After a restart it is not known what is in a file until it was read.
func TestAFileThatWasNotReadYetIsNotClosedToMakeRoom(t *testing.T) {
	w := newWorld(t, "*.log")
	w.settings.MaxOpen = 1
	w.start(true)
	w.append("1.log", lines("a", 1))
	w.append("2.log", lines("b", 1))
	w.looks()
	for i, name := range []string{"1.log", "2.log"} {
		w.append(name, lines("more in "+name, 1))
		w.must(os.Chtimes(w.path(name), time.Time{}, time.Unix(1_600_000_000+int64(i), 0)))
	}
	w.restart()
	w.wantRead(w.look(everything), lines("more in 1.log", 1)) // the oldest first
	w.wantRead(w.look(everything), lines("more in 2.log", 1))
	w.wantLost()
}
