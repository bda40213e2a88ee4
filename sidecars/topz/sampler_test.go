package topz

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

// The kernel makes its statistics anew for each reader, which takes longer than
// everything that is asked of a process.
func TestTheSystemIsAskedOnceForAllProcesses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for pid := 1; pid <= 9; pid++ {
		zeros := strings.Repeat(" 0", 30)
		write(fmt.Sprintf("%d/stat", pid), fmt.Sprintf("%d (app) S 1%s %d%s", pid, strings.Repeat(" 0", 17), 100*pid+50, zeros))
	}
	pipe := filepath.Join(dir, "stat")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { // for one reader
		out, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for it
		if err == nil {
			_, err = fmt.Fprintln(out, "btime 1700000000")
			err = errors.Join(err, os.Remove(pipe), out.Close())
		}
		served <- err
	}()
	fs, err := procfs.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := newSampler(fs, Config{Processes: 100})
	if err := errors.Join(s.sample(), <-served); err != nil {
		t.Fatal(err)
	}
	rows := s.current.Load().Processes
	if len(rows) != 9 || !rows[8].Started.Equal(time.Unix(1_700_000_009, 500_000_000)) {
		t.Errorf("%+v", rows)
	}
}
