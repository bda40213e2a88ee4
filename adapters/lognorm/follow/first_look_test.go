package follow

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The patterns are looked up first, the directory is listed then. What has come between
// is no old generation, of which nothing would be read.
func TestAFileThatComesDuringALookIsCurrent(t *testing.T) {
	for _, pattern := range []string{"app-1.log", "*.log"} {
		dir := t.TempDir()
		s := New(Settings{Patterns: []string{filepath.Join(dir, pattern)}}, nil, true)
		s.names[filepath.Join(dir, "app.log")] = 1 // of which it would be a generation
		if err := os.WriteFile(filepath.Join(dir, "app-1.log"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if found := s.list(dir, nil); len(found) != 1 || !found[0].current {
			t.Errorf("%s: found %+v", pattern, found)
		}
	}
}

// A directory that is a link is listed by both of its names.
func TestAFileBehindALinkedDirectoryStaysCurrent(t *testing.T) {
	for _, pattern := range []string{"app.log", "*.log"} {
		top := t.TempDir()
		real, link := filepath.Join(top, "real"), filepath.Join(top, "link") // which sorts before it
		if err := os.Mkdir(real, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("real", link); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(real, "app.log"), []byte("a line\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := New(Settings{Patterns: []string{filepath.Join(link, pattern)}, MaxOpen: 8, Grace: time.Minute}, nil, true)
		t.Cleanup(s.CloseAll)
		for range 3 {
			s.Look(time.Now())
			if len(s.files) != 1 || !s.files[0].Current || s.files[0].Lag() != 7 {
				t.Fatalf("%s: %d files, the first one %+v", pattern, len(s.files), s.files[0])
			}
		}
	}
}
