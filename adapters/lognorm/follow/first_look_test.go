package follow

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The patterns are looked up first, the directory is listed then.
func TestAFileThatComesDuringTheFirstLookIsReadFromItsBeginning(t *testing.T) {
	for _, pattern := range []string{"app-1.log", "*.log"} {
		dir := t.TempDir()
		s := New(Settings{Patterns: []string{filepath.Join(dir, pattern)}, MaxOpen: 8, Grace: time.Minute}, nil, true)
		t.Cleanup(s.CloseAll)
		s.names[filepath.Join(dir, "app.log")] = 1 // of which it would be a generation
		path := filepath.Join(dir, "app-1.log")
		if err := os.WriteFile(path, []byte("a line\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		s.take(s.list(dir, nil), now)
		s.Look(now)
		if len(s.files) != 1 || s.files[0].Lag() != int64(len("a line\n")) {
			t.Errorf("%s: %d files are followed, and there is nothing to read", pattern, len(s.files))
		}
	}
}
