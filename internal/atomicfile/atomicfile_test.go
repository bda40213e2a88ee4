package atomicfile_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

// writers are both ways to replace a file.
var writers = map[string]func(string, []byte, fs.FileMode) error{"Write": atomicfile.Write, "WriteDurable": atomicfile.WriteDurable}

// alone fails when there is more in a directory than one file of this name.
func alone(t *testing.T, path string) {
	t.Helper()
	there, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(there) != 1 || there[0].Name() != filepath.Base(path) {
		t.Errorf("there are %v, %v", there, err)
	}
}

func TestAFileIsMadeAndReplaced(t *testing.T) {
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			for _, content := range []string{"a longer one", "short", ""} {
				if err := write(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(path); err != nil || string(got) != content {
					t.Errorf("it has %q, %v, want %q", got, err, content)
				}
			}
			alone(t, path)
		})
	}
}

// The mode is the new file's own: neither the umask takes from it nor the old file's stays.
func TestTheModeIsTheOneThatIsGiven(t *testing.T) {
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			for _, mode := range []fs.FileMode{0o666, 0o600, 0o444} {
				if err := write(path, []byte("x"), mode); err != nil {
					t.Fatal(err)
				}
				if info, err := os.Stat(path); err != nil || info.Mode() != mode {
					t.Errorf("its mode is %v, %v, want %v", info.Mode(), err, mode)
				}
			}
		})
	}
}

func TestAFailureLeavesWhatWasThereAndNothingElse(t *testing.T) {
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil { // nothing is renamed over a directory
				t.Fatal(err)
			}
			if err := write(path, []byte("x"), 0o600); err == nil || !strings.Contains(err.Error(), "write "+path) {
				t.Errorf("over a directory: %v", err)
			}
			alone(t, path)
			missing := filepath.Join(path, "missing", "f")
			if err := write(missing, []byte("x"), 0o600); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "write "+missing) {
				t.Errorf("in a directory that is not there: %v", err)
			}
		})
	}
}

func TestAReaderSeesAWholeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	whole := func(b byte) []byte { return bytes.Repeat([]byte{b}, 1<<16) }
	if err := atomicfile.Write(path, whole('a'), 0o600); err != nil {
		t.Fatal(err)
	}
	var writing sync.WaitGroup
	for _, b := range []byte("bc") { // two who do not know of each other
		writing.Go(func() {
			for range 200 {
				if err := atomicfile.Write(path, whole(b), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writing.Wait(); close(done) }()
	for {
		got, err := os.ReadFile(path)
		if err != nil || len(got) != 1<<16 || !bytes.Equal(got, whole(got[0])) {
			t.Fatalf("a part was read: %d bytes, %v", len(got), err)
		}
		select {
		case <-done:
			alone(t, path)
			return
		default:
		}
	}
}

func TestADirectoryThatIsNotThereIsNotSynced(t *testing.T) {
	if err := atomicfile.SyncDir(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
