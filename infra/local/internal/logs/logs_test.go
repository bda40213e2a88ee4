package logs

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAFileIsRotatedBetweenLinesAndBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := NewFile(dir, "web-1", nil)
	f.limit = 100
	for range 50 {
		if _, err := io.WriteString(f, "ten bytes\nten b"); err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, "ytes\n")
	}
	f.Close()
	for _, name := range []string{"web-1.log", "web-1.log.1"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(content) > 100 || strings.ReplaceAll(string(content), "ten bytes\n", "") != "" {
			t.Errorf("%s: %d bytes, %q, %v", name, len(content), content, err)
		}
	}
}

func TestALineWithoutEndIsCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var longest int
	f := NewFile(dir, "web-1", func(line []byte) { longest = max(longest, len(line)) })
	io.WriteString(f, strings.Repeat("x", 3*maxLine)+"\nend")
	f.Close()
	content, err := os.ReadFile(Path(dir, "web-1"))
	if err != nil || longest > maxLine || strings.Count(string(content), "x") != 3*maxLine || !strings.HasSuffix(string(content), "\nend\n") {
		t.Errorf("longest line %d, %d bytes, %v", longest, len(content), err)
	}
}

func TestLinesAreReadable(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 10, 0, 0, 5e6, time.UTC).Local().Format("15:04:05.000")
	for line, want := range map[string]string{
		`{"time":"2026-11-21T10:00:00.005Z","level":"INFO","msg":"listening","service":"web","data":"127.0.0.1:80","n":3,"why":"two words"}`: at + ` INFO listening data=127.0.0.1:80 n=3 why="two words"`,
		`{"time":"2026-11-21T10:00:00.005Z","msg":"request","o":{"a":[1,2]}}`:                                                                at + ` request o={"a":[1,2]}`,
		"panic: oh\x1b[2Jno": "panic: oh�[2Jno",
		`{"broken`:           `{"broken`,
		`{}`:                 " ", // nothing to say
	} {
		if got := (Style{Width: 5}).Line("web-1", []byte(line+"\n")); got != "web-1 | "+want+"\n" {
			t.Errorf("%s is shown as %q, want %q", line, got, want)
		}
	}
	colourful := Style{Colour: true}.Line("web-1", []byte(`{"level":"ERROR","msg":"x"}`))
	if !strings.Contains(colourful, red+"ERROR"+plain) {
		t.Errorf("an error is shown as %q", colourful)
	}
	if got := (Style{Raw: true}).Line("web-1", []byte("{}\n")); got != "{}\n" {
		t.Errorf("raw is %q", got)
	}
}

func TestNamesOfServicesStandForTheirReplicas(t *testing.T) {
	t.Parallel()
	names := []string{"edge-1", "runner", "web-1", "web-10", "web-old"}
	for wanted, want := range map[string]string{"": "edge-1 runner web-1 web-10 web-old", "web": "web-1 web-10", "web-1": "web-1", "web web-1 runner": "web-1 web-10 runner"} {
		got, err := Select(names, strings.Fields(wanted))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q selects %v, %v", wanted, got, err)
		}
	}
	if _, err := Select(names, []string{"we"}); err == nil {
		t.Error("half a name is accepted")
	}
}

func TestTheLastLinesOfAllComeInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a": `{"time":"2026-01-01T00:00:01Z"}` + "\nstack\n" + `{"time":"2026-01-01T00:00:04Z"}` + "\nhalf a li",
		"b": `{"time":"2026-01-01T00:00:00Z"}` + "\n" + `{"time":"2026-01-01T00:00:03Z"}` + "\n",
	} {
		if err := os.WriteFile(Path(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	offsets, err := Last(&out, dir, []string{"a", "b"}, 3, Style{Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"time":"2026-01-01T00:00:00Z"}
{"time":"2026-01-01T00:00:01Z"}
stack
{"time":"2026-01-01T00:00:03Z"}
{"time":"2026-01-01T00:00:04Z"}
`
	if out.String() != want {
		t.Errorf("the lines are\n%s", out.String())
	}
	if offsets["a"] != int64(len(want)/2)-15 && offsets["a"] == 0 {
		t.Errorf("offsets %v", offsets)
	}
}

func TestFollowingGoesOnAfterARotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := NewFile(dir, "web-1", nil)
	f.limit = 20
	defer f.Close()
	lines := make(chan string, 10)
	out := writer(func(line string) { lines <- line })
	io.WriteString(f, "before\n")
	offsets, err := Last(io.Discard, dir, []string{"web-1"}, 0, Style{Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- Follow(ctx, out, dir, offsets, Style{Raw: true}) }()
	for _, line := range []string{"one is long\n", "two\n"} { // the second one begins a new file
		io.WriteString(f, line)
		if got := <-lines; got != line {
			t.Errorf("%q was shown, want %q", got, line)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

type writer func(string)

func (w writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}

func TestAHeldTerminalHoldsNobodyAndLossesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		held := make(chan struct{})
		var mu sync.Mutex
		var shown strings.Builder
		c := NewConsole(writer(func(line string) {
			<-held
			mu.Lock()
			defer mu.Unlock()
			shown.WriteString(line)
		}), Style{})
		observe := c.Observe("web-1")
		observe([]byte("first\n"))
		synctest.Wait() // the writer holds the first line
		for range queueLength + 7 {
			observe([]byte("x\n"))
		}
		close(held)
		c.Close()
		if !strings.Contains(shown.String(), "7 lines were not shown") {
			t.Error("the loss is not told")
		}
		c.Say("after the end") // is no panic
	})
}
