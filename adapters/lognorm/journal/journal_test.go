package journal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/follow"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

func TestWhatWasSavedIsThereAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	j := open(t, path)
	if files, fresh := j.Files("app"); len(files) != 0 || !fresh || j.Torn() {
		t.Errorf("%v %v %v", files, fresh, j.Torn())
	}
	a, b := follow.Identity{Device: 1, Inode: 2}, follow.Identity{Device: 1, Inode: 3}
	j.Apply("app", []follow.Change{{Identity: a, Saved: &follow.Saved{ID: "x", Path: "/a", Identity: a, Position: follow.Position{Offset: 7, Before: 7, Digest: 9}}},
		{Identity: b, Saved: &follow.Saved{ID: "y", Identity: b}}, {Identity: b}})
	j.SetCursor("slow", []byte(`{"id":5}`))
	if err := j.Save(false); err != nil {
		t.Fatal(err)
	}
	j.Close()
	again := open(t, path)
	files, fresh := again.Files("app")
	if len(files) != 1 || fresh || files[0].Offset != 7 || files[0].Inode != 2 || string(again.Cursor("slow")) != `{"id":5}` || !again.Torn() {
		t.Errorf("%+v %v %s %v", files, fresh, again.Cursor("slow"), again.Torn())
	}
	if err := again.Save(true); err != nil {
		t.Fatal(err)
	}
	again.Close()
	if open(t, path).Torn() {
		t.Error("a clean end counts as torn")
	}
}

// A source that has had no files yet is not fresh the second time: a file that
// appeared meanwhile must be read from its beginning.
func TestASourceWithoutFilesIsFreshOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	j := open(t, path)
	j.Files("app")
	if err := j.Save(true); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if _, fresh := open(t, path).Files("app"); fresh {
		t.Error("fresh again")
	}
}

func TestAFileThatIsNoStateIsPutAsideAndEverythingReadAgain(t *testing.T) {
	for _, content := range []string{"", "{", `{"version":99}`, "\x00\x00"} {
		path := filepath.Join(t.TempDir(), "state.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, path)
		if _, fresh := j.Files("app"); fresh || j.Broken() == nil {
			t.Errorf("%q: fresh %v, %v", content, fresh, j.Broken())
		}
		if _, err := os.Stat(path + ".broken"); err != nil {
			t.Error(err)
		}
	}
}

func TestTwoProcessesCannotShareAState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	open(t, path)
	if _, err := journal.Open(path); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("%v", err)
	}
}
