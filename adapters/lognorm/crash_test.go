package lognorm_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/nettest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// child starts lognorm in a process of its own, its output appended to a file.
func child(t *testing.T, out *os.File, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append([]string{programVariable + "=1", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "DRAIN_DELAY=0s", "LOG_LEVEL=error",
		"LOGNORM_POLL_INTERVAL=5ms", "LOGNORM_LOOK_INTERVAL=20ms", "LOGNORM_TRACE_WAIT=30ms", "LOGNORM_SAVE_INTERVAL=20ms"}, env...)...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// Kill -9 at any time, with rotations meanwhile: no line is missing, what is
// repeated has the identity of what it repeats, and it is not more than what may
// leave between two saves.
func TestKilledAtAnyTimeItLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: that a killed adapter loses nothing was not tried")
	}
	l := newLogs(t)
	out, err := os.OpenFile(l.path("out.json"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	const perSave = 1000
	env := []string{"LOGNORM_FILES=" + l.path("app.log"), "LOGNORM_STATE_FILE=" + l.path("state.json"), fmt.Sprint("LOGNORM_SAVE_LINES=", perSave)}
	n, kills := 0, 0
	for round := range 12 {
		for range 4 {
			l.append("app.log", numbered(n, n+2000))
			n += 2000
		}
		cmd := child(t, out, env...)
		written := size(t, out)
		grown(t, out, written+rand.Int64N(1<<20))
		if round%2 == 1 {
			l.rename("app.log", fmt.Sprintf("app.log.%d", round))
			l.append("app.log", "")
		}
		grown(t, out, written+rand.Int64N(2<<20)) // or it has been reached already
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		kills++
	}
	last := child(t, out, env...)
	await.That(t, "all lines have left", func() bool {
		text, err := os.ReadFile(l.path("out.json"))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(text, fmt.Appendf(nil, "<%d>", n-1))
	})
	_ = last.Process.Signal(os.Interrupt)
	if err := last.Wait(); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(l.path("out.json"))
	if err != nil {
		t.Fatal(err)
	}
	whole, torn := sound(string(text))
	repeated := wantEach(t, entries(t, whole), n)
	t.Logf("%d lines, %d kills, %d records repeated, %d lines torn", n, kills, repeated, torn)
	if limit := kills * perSave; repeated > limit {
		t.Errorf("%d records were repeated, want at most %d", repeated, limit)
	}
	if torn > kills {
		t.Errorf("%d lines are torn by %d kills", torn, kills)
	}
}

func size(t *testing.T, f *os.File) int64 {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// grown waits until a file has so many bytes.
func grown(t *testing.T, f *os.File, n int64) {
	t.Helper()
	await.Seen(t, fmt.Sprintf("%d bytes of output", n), func() (any, bool) {
		have := size(t, f)
		return have, have >= n
	})
}

// sound drops lines that a kill has cut off. They are never glued to the next
// one, and come again.
func sound(text string) (whole string, torn int) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		switch {
		case line == "\n":
		case strings.HasSuffix(line, "}}\n"):
			b.WriteString(line)
		default:
			torn++
		}
	}
	return b.String(), torn
}

func TestASecondProcessWithTheSameStateIsRefused(t *testing.T) {
	l := newLogs(t)
	env := map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_STATE_FILE": l.path("state.json")}
	start(t, env, nil)
	if _, err := try(t, env, nil); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("error %v", err)
	}
}

// Standard input ends, and so does the process, with everything written.
func TestItEndsWithItsInput(t *testing.T) {
	var out bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), programVariable+"=1", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "DRAIN_DELAY=0s", "LOG_LEVEL=error", "LOGNORM_STDIN=on")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(numbered(0, 5000)+"no end <5000>"), &out, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	wantEach(t, entries(t, out.String()), 5001)
}

func TestATermSignalEndsAReadOfStandardInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	l := newLogs(t)
	out, err := os.Create(l.path("out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(os.Args[0])
	admin := nettest.Refuse(t) // to ask whether it runs
	cmd.Env = append(os.Environ(), programVariable+"=1", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR="+admin, "DRAIN_DELAY=0s", "LOG_LEVEL=error", "LOGNORM_STDIN=on")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := w.WriteString(numbered(0, 10) + "half <10>"); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the lines were taken", func() bool {
		text, err := os.ReadFile(l.path("out"))
		return err == nil && bytes.Contains(text, []byte("<8>"))
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.path("out"))
	if err != nil {
		t.Fatal(err)
	}
	wantEach(t, entries(t, string(text)), 11)
}
