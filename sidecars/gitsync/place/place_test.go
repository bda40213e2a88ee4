package place_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/sidecars/gitsync/place"
)

func write(text string) func(string) error {
	return func(dir string) error { return os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o644) }
}

func open(t *testing.T, dir string, o place.Options) *place.Place {
	t.Helper()
	p, err := place.Open(dir, "current", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func read(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "current", "file"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func add(t *testing.T, p *place.Place, name string) {
	t.Helper()
	if err := errors.Join(p.Add(name, write(name)), p.Swap(name)); err != nil {
		t.Fatal(err)
	}
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(dir, ".revisions"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

var aDay = place.Options{Keep: 24 * time.Hour, Most: 2}

func TestWhatWasHalfWrittenIsNeverARevision(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir, aDay)
	add(t, p, "one")
	broken := errors.New("broken")
	err := p.Add("two", func(dir string) error { return errors.Join(write("half")(dir), broken) })
	if !errors.Is(err, broken) || p.Has("two") || read(t, dir) != "one" || len(entries(t, dir)) != 1 {
		t.Errorf("%v, current %q, %v", err, read(t, dir), entries(t, dir))
	}
}

func TestLeftoversOfAKilledProcessAreCleared(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir, aDay)
	add(t, p, "one")
	add(t, p, "two")
	p.Close()
	for _, left := range []string{".revisions/.new-123", ".revisions/.old-zero"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, left), 0o755), write("half")(filepath.Join(dir, left))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(".revisions/.new-123", filepath.Join(dir, ".link-new")); err != nil {
		t.Fatal(err)
	}
	p = open(t, dir, aDay)
	if got := entries(t, dir); len(got) != 2 || p.Current() != "two" || !p.Has("one") || read(t, dir) != "two" {
		t.Errorf("%v, current %s", got, p.Current())
	}
	if _, err := os.Lstat(filepath.Join(dir, ".link-new")); err == nil {
		t.Error("the link of a swap that did not happen is there")
	}
}

func TestReplacedRevisionsStayForTheirTimeAndAreNotTooMany(t *testing.T) {
	dir := t.TempDir()
	p := open(t, dir, aDay)
	for _, name := range []string{"one", "two", "three", "four"} {
		add(t, p, name)
		if err := p.Prune(); err != nil {
			t.Fatal(err)
		}
	}
	if got := entries(t, dir); len(got) != 3 || p.Has("one") || !p.Has("two") || p.Kept() != 2 {
		t.Errorf("of many: %v", got)
	}
	add(t, p, "two") // back to a kept one: it is not written again
	if read(t, dir) != "two" || !p.Has("four") {
		t.Errorf("current is %q", read(t, dir))
	}
	p.Close()
	p = open(t, dir, place.Options{Keep: 0, Most: 20})
	if err := p.Prune(); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, dir); len(got) != 1 || read(t, dir) != "two" {
		t.Errorf("after their time: %v", got)
	}
}

func TestADirectoryHasOneKeeper(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, aDay)
	if _, err := place.Open(dir, "current", aDay); err == nil {
		t.Error("two keep it")
	}
}

func TestSomethingThatIsNoLinkIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "current"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := place.Open(dir, "current", aDay); err == nil {
		t.Error("somebody's folder would have been replaced")
	}
}
