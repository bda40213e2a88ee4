package folder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/sidecars/configsync/follow"
	"github.com/flotilla-dev/flotilla/sidecars/configsync/syntax"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type kept struct {
	*testing.T
	*Folder
	dir    string
	counts map[string]int
	log    strings.Builder
}

// keep opens a folder on a directory; change may change how it works.
func keep(t *testing.T, dir string, change func(*Options)) *kept {
	t.Helper()
	k := &kept{T: t, dir: dir, counts: map[string]int{}}
	o := Options{
		Dir: dir, Name: func(key string) (string, error) { return strings.TrimPrefix(key, "/"), nil }, Deletes: true, MaxSize: 1 << 20, Mode: 0o640,
		Syntax: syntax.Auto, Log: slog.New(slog.NewTextHandler(&k.log, nil)), Count: func(result string) { k.counts[result]++ },
	}
	if change != nil {
		change(&o)
	}
	f, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	k.Folder = f
	return k
}

// snapshot has pairs of key and value, all of one version.
func snapshot(revision int64, pairs ...string) follow.Snapshot {
	s := follow.Snapshot{Cluster: 7, Revision: revision}
	for i := 0; i+1 < len(pairs); i += 2 {
		s.Entries = append(s.Entries, follow.Entry{Key: pairs[i], Value: []byte(pairs[i+1]), Version: revision})
	}
	return s
}

// apply applies a snapshot, and holds whether that changes something.
func (k *kept) apply(want bool, s follow.Snapshot) {
	k.Helper()
	if got := k.Apply(context.Background(), s); got != want {
		k.Errorf("changed: %v, want %v", got, want)
	}
}

func (k *kept) want(name, content string) {
	k.Helper()
	got, err := os.ReadFile(filepath.Join(k.dir, name))
	if err != nil || string(got) != content {
		k.Errorf("%s is %q, %v; want %q", name, got, err, content)
	}
}

// left are the names in the directory but for the state.
func (k *kept) left() string {
	k.Helper()
	var names []string
	err := filepath.WalkDir(k.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != stateFile {
			rel, _ := filepath.Rel(k.dir, path)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	return strings.Join(names, " ")
}

func (k *kept) status(name string) File {
	k.Helper()
	for _, f := range k.Status() {
		if f.File == name {
			return f
		}
	}
	return File{}
}

func TestTheDirectoryIsWhatTheSnapshotSays(t *testing.T) {
	k := keep(t, t.TempDir(), nil)
	k.apply(true, snapshot(1, "/a.ini", "k = 1\n", "/sub/dir/b", "\x00\xff"))
	k.want("a.ini", "k = 1\n")
	k.want("sub/dir/b", "\x00\xff")
	k.apply(false, snapshot(2, "/a.ini", "k = 1\n", "/sub/dir/b", "\x00\xff"))
	k.apply(true, snapshot(3, "/a.ini", "", "/sub/dir/b", "\x00\xff"))
	k.want("a.ini", "")
	k.apply(true, snapshot(4, "/a.ini", ""))
	if got := k.left(); got != "a.ini" {
		t.Errorf("left: %s", got)
	}
	if s := k.status("a.ini"); s.Version != 4 || s.Key != "/a.ini" || s.SHA256 == "" || s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
	if info, err := os.Stat(filepath.Join(k.dir, "a.ini")); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestWhatIsBrokenLeavesTheOldFile(t *testing.T) {
	k := keep(t, t.TempDir(), func(o *Options) { o.MaxSize = 100 })
	k.apply(true, snapshot(1, "/a.json", `{"a":1}`))
	for i, broken := range []string{`{"a":`, `{"a":"` + strings.Repeat("x", 100) + `"}`} {
		k.apply(false, snapshot(int64(2+i), "/a.json", broken))
		k.apply(false, snapshot(int64(2+i), "/a.json", broken)) // a new list has it again
		k.want("a.json", `{"a":1}`)
		s := k.status("a.json")
		if s.Version != 1 || s.Rejected == nil || s.Rejected.Version != int64(2+i) || s.Rejected.Reason == "" || k.counts["rejected"] != 1+i {
			t.Errorf("%+v, %v", s, k.counts)
		}
	}
	if got := k.left(); got != "a.json" {
		t.Errorf("left: %s", got)
	}
	if !strings.Contains(k.log.String(), "the old one stays") {
		t.Errorf("the log does not tell: %s", k.log.String())
	}
	k.apply(true, snapshot(5, "/a.json", `{"a":2}`))
	if s := k.status("a.json"); s.Rejected != nil || s.Version != 5 {
		t.Errorf("%+v", s)
	}
	// Back to what the file still is: nothing to write, and nothing rejected any more.
	k.apply(false, snapshot(6, "/a.json", `{`))
	k.apply(false, snapshot(7, "/a.json", `{"a":2}`))
	if s := k.status("a.json"); s.Rejected != nil || s.Version != 7 {
		t.Errorf("%+v", s)
	}
}

func TestAKeyThatCanBeNoFileIsToldAndForgotten(t *testing.T) {
	k := keep(t, t.TempDir(), func(o *Options) {
		o.Name = func(key string) (string, error) { return key, fmt.Errorf("not this one") }
	})
	k.apply(false, snapshot(1, "../a", "x"))
	if s := k.status("../a"); s.Rejected == nil || s.Rejected.Reason != "not this one" {
		t.Errorf("%+v", s)
	}
	k.apply(false, snapshot(2))
	if all := k.Status(); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

func TestACommandHasTheLastWord(t *testing.T) {
	dir := t.TempDir()
	runs := filepath.Join(t.TempDir(), "runs")
	script := filepath.Join(t.TempDir(), "check")
	text := "#!/bin/sh\necho \"$@\" >> " + runs + "\ngrep -q good \"$2\" && exit 0\necho \"$2: line 1: no good\" >&2\nprintf 'second\\tline\\n'\nexit 3\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	k := keep(t, dir, func(o *Options) { o.Command = Command{Words: []string{script, "-t", "{}"}, Timeout: 20 * time.Second} })
	k.apply(true, snapshot(1, "/a.txt", "good"))
	k.apply(false, snapshot(2, "/a.txt", "bad"))
	k.apply(false, snapshot(2, "/a.txt", "bad"))
	k.want("a.txt", "good")
	if s := k.status("a.txt"); s.Rejected == nil || s.Rejected.Reason != "the check refuses it: it: line 1: no good second line" {
		t.Errorf("%+v", s.Rejected)
	}
	calls, err := os.ReadFile(runs)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(calls)), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "-t "+dir+"/"+prefix) || !strings.HasSuffix(lines[0], "-a.txt") {
		t.Errorf("it was run as %q", lines)
	}
	if got := k.left(); got != "a.txt" {
		t.Errorf("left: %s", got)
	}
}

func TestACommandThatHangsIsEndedAndAskedAgain(t *testing.T) {
	k := keep(t, t.TempDir(), func(o *Options) {
		o.Command = Command{Words: []string{"sh", "-c", "sleep 600 & wait"}, Timeout: 100 * time.Millisecond}
	})
	k.apply(false, snapshot(1, "/a.txt", "x"))
	if s := k.status("a.txt"); s.Rejected == nil || !strings.Contains(s.Rejected.Reason, "longer than 100ms") {
		t.Errorf("%+v", s)
	}
	k.Command.Words = []string{"true"}
	k.apply(true, snapshot(1, "/a.txt", "x"))
	k.want("a.txt", "x")
}

func TestACommandThatIsNotThereRejectsNothing(t *testing.T) {
	k := keep(t, t.TempDir(), func(o *Options) {
		o.Command = Command{Words: []string{"/nonexistent/check"}, Timeout: time.Second}
	})
	k.apply(false, snapshot(1, "/a.txt", "x"))
	if s := k.status("a.txt"); s.Rejected != nil || s.Error == "" || strings.Contains(s.Error, "nonexistent") {
		t.Errorf("%+v", s)
	}
}

func TestAFileThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	k := keep(t, t.TempDir(), nil)
	inTheWay := filepath.Join(k.dir, "a", "b")
	if err := os.MkdirAll(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	k.apply(true, snapshot(1, "/a", "x", "/c", "y")) // /c is written all the same
	if s := k.status("a"); s.Error == "" || k.left() != "c" {
		t.Errorf("%+v, left: %s", s, k.left())
	}
	if err := os.RemoveAll(filepath.Join(k.dir, "a")); err != nil {
		t.Fatal(err)
	}
	k.apply(true, snapshot(1, "/a", "x", "/c", "y"))
	if s := k.status("a"); s.Error != "" || s.Version != 1 {
		t.Errorf("%+v", s)
	}
}

func TestNoLinkLeadsOutOfTheDirectory(t *testing.T) {
	outside := t.TempDir()
	k := keep(t, t.TempDir(), nil)
	if err := os.Symlink(outside, filepath.Join(k.dir, "link")); err != nil {
		t.Fatal(err)
	}
	k.apply(false, snapshot(1, "/link/a", "x", "/../b", "x"))
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("it wrote %v", left)
	}
	if _, err := os.Stat(filepath.Join(k.dir, "..", "b")); err == nil {
		t.Error("it wrote above the directory")
	}
}

func TestAFileThatSomebodyTouchedIsMadeRightAgain(t *testing.T) {
	k := keep(t, t.TempDir(), nil)
	k.apply(true, snapshot(1, "/a", "x"))
	if err := os.WriteFile(filepath.Join(k.dir, "a"), []byte("touched"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.apply(true, snapshot(1, "/a", "x"))
	k.want("a", "x")
	if err := os.Remove(filepath.Join(k.dir, "a")); err != nil {
		t.Fatal(err)
	}
	k.apply(true, snapshot(1, "/a", "x"))
	k.want("a", "x")
}

func TestTheNextProcessKnowsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	keep(t, dir, nil).apply(true, snapshot(3, "/a", "x", "/b", "y", "/c", "z"))
	for name, content := range map[string]string{"b": "touched", prefix + "half-a": "half"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	k := keep(t, dir, nil)
	if a, b := k.status("a"), k.status("b"); a.Version != 3 || a.Since.IsZero() || b.Version != 0 || b.SHA256 == "" || len(k.Status()) != 2 {
		t.Errorf("%+v", k.Status())
	}
	if got := k.left(); got != "a b" {
		t.Errorf("left: %s", got)
	}
	k.apply(true, snapshot(4, "/b", "y")) // a was deleted meanwhile
	if got := k.left(); got != "b" {
		t.Errorf("left: %s", got)
	}
}

func TestAStateThatIsBrokenIsNoReasonNotToStart(t *testing.T) {
	for _, text := range []string{"{", "null", `{"files":null}`, `{"files":{"../../etc/passwd":{}}}`, strings.Repeat("[", 1<<16)} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		k := keep(t, dir, nil)
		k.apply(true, snapshot(1, "/a", "x"))
		k.want("a", "x")
	}
}

func TestAnEtcdThatLostItsDataDeletesNothing(t *testing.T) {
	for name, lost := range map[string]follow.Snapshot{
		"an older revision": {Cluster: 7, Revision: 1},
		"another cluster":   {Cluster: 8, Revision: 99},
	} {
		k := keep(t, t.TempDir(), nil)
		k.apply(true, snapshot(5, "/a", "x", "/b", "y"))
		k.apply(false, lost)
		k.want("a", "x")
		k.want("b", "y")
		if !strings.Contains(k.log.String(), "has lost its past") {
			t.Errorf("%s: the log does not tell", name)
		}
		// What is pushed again is followed again, what is not stays as it is.
		again := snapshot(2, "/b", "new")
		again.Cluster = lost.Cluster
		if lost.Revision > 2 {
			again.Revision = 100
		}
		k.apply(true, again)
		k.want("a", "x")
		k.want("b", "new")
		again.Entries, again.Revision = nil, again.Revision+1
		k.apply(true, again)
		if got := k.left(); got != "a" {
			t.Errorf("%s: left: %s", name, got)
		}
	}
}

func TestTheOneFileStaysWhenItsKeyIsGone(t *testing.T) {
	k := keep(t, t.TempDir(), func(o *Options) { o.Deletes = false })
	k.apply(false, snapshot(1)) // and is not there before
	k.apply(true, snapshot(2, "/a", "x"))
	k.apply(false, snapshot(3))
	k.apply(false, snapshot(1))
	k.want("a", "x")
	if s := k.status("a"); !s.Absent || s.Version != 2 {
		t.Errorf("%+v", s)
	}
	k.apply(true, snapshot(4, "/a", "z"))
	if s := k.status("a"); s.Absent || s.Version != 4 {
		t.Errorf("%+v", s)
	}
}

func TestNobodyReadsHalfAFile(t *testing.T) {
	k := keep(t, t.TempDir(), nil)
	content := func(i int) string {
		body := strings.Repeat(fmt.Sprintf("%d\n", i), 1000+i*37%5000)
		sum := sha256.Sum256([]byte(body))
		return hex.EncodeToString(sum[:]) + "\n" + body
	}
	k.apply(true, snapshot(1, "/a", content(1)))
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				text, err := os.ReadFile(filepath.Join(k.dir, "a"))
				sum, body, _ := strings.Cut(string(text), "\n")
				if got := sha256.Sum256([]byte(body)); err != nil || hex.EncodeToString(got[:]) != sum {
					t.Errorf("half a file: %d bytes, %v", len(text), err)
					return
				}
			}
		})
	}
	for i := int64(2); i < 200; i++ {
		k.apply(true, snapshot(i, "/a", content(int(i))))
	}
	close(stop)
	readers.Wait()
}
