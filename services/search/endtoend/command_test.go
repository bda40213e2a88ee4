package endtoend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/services/search"
	"github.com/flotilla-dev/flotilla/services/search/control"
)

// commandLimit is for a run of the command; it is a bound for what hangs.
const commandLimit = 3 * time.Minute

// built is the program itself.
func built(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "searchreshard")
	c := exec.Command("go", "build", "-o", path, "../cmd/searchreshard")
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return path
}

// A started command.
type started struct {
	*exec.Cmd
	out, said page
	stop      context.CancelFunc
}

// A page is what a process prints, which may be read meanwhile.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func launch(t *testing.T, path string, args ...string) *started {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	s := &started{Cmd: exec.CommandContext(ctx, path, args...), stop: cancel}
	s.Stdout, s.Stderr = &s.out, &s.said
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// end waits, and returns how it has ended.
func (s *started) end() int {
	defer s.stop()
	var ended *exec.ExitError
	if err := s.Wait(); errors.As(err, &ended) {
		return ended.ExitCode()
	} else if err != nil {
		return -1
	}
	return 0
}

// want runs a command to its end, and demands its exit status and parts of what it prints.
func want(t *testing.T, path string, code int, parts []string, args ...string) {
	t.Helper()
	s := launch(t, path, args...)
	have := s.end()
	all := s.out.String() + s.said.String()
	for _, part := range parts {
		if !strings.Contains(all, part) {
			t.Errorf("%v does not print %q: %s", args, part, all)
		}
	}
	if have != code {
		t.Fatalf("%v ends with status %d, want %d: %s", args, have, code, all)
	}
}

func TestTheCommandSaysWhatIsWrongWithItsArguments(t *testing.T) {
	path := built(t)
	m := &move{t: t, layout: filepath.Join(t.TempDir(), "layout.yaml")}
	m.lay("control: documents.layout\nshards: ['${SEARCH_UPSTREAM_NOWHERE}']\n")
	file := "-layout=" + m.layout
	want(t, path, 0, []string{"usage: searchreshard", "exit status:", "-roots"}, "-help")
	want(t, path, 2, []string{"want one of plan, run, status, abort"})
	want(t, path, 2, []string{`"move" is unknown`}, "move", file)
	want(t, path, 2, []string{`"status" is one argument too many`}, "plan", "status", file)
	want(t, path, 2, []string{"-layout is required"}, "status")
	want(t, path, 2, []string{"-roots is required"}, "run", file)
	want(t, path, 2, []string{"more than 0"}, "run", file, "-roots=127.0.0.1:1", "-level", "0")
	want(t, path, 2, []string{"no such file"}, "status", file+".none")
	want(t, path, 2, []string{"no next layout"}, "plan", file)
	want(t, path, 2, []string{"SEARCH_UPSTREAM_NOWHERE is not set"}, "run", file, "-roots=127.0.0.1:1")
	want(t, path, 2, []string{"host:port"}, "status", file, "-kafka=nowhere")
	want(t, path, 1, []string{"not done in 1s: are the brokers reached?"}, "status", file, "-kafka="+nettest.Refuse(t), "-timeout=1s")
	m.lay("shards: [a:1]\n")
	want(t, path, 2, []string{"no control topic"}, "status", file)
	m.lay("shards: []\n")
	want(t, path, 2, []string{"want 1 to 256"}, "abort", file)
}

// awaitWritten writes a document until it is in the log of this layout.
func (m *move) awaitWritten(layout string) {
	m.t.Helper()
	await.Seen(m.t, "a document to be written", func() (any, bool) {
		status, body, err := m.request(0, http.MethodPut, "/v1/documents/x", `{"title": "x"}`)
		return body, err == nil && status == http.StatusOK && strings.Contains(body, `"layout":"`+layout+`"`)
	})
}

func (m *move) awaitPhase(phase control.Phase) {
	m.t.Helper()
	await.Seen(m.t, "phase "+string(phase), func() (any, bool) {
		c := m.status(0).Control
		return c, c != nil && c.Phase == phase
	})
}

func TestTheCommandAbortsAMoveAndGoesOnWithOneWhoseDriverIsDead(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it starts leaves and roots as processes, and moves documents")
	}
	path := built(t)
	m := startMove(t, 1, 2, "SEARCH_WRITE_TIMEOUT=2s", "SEARCH_CONTROL_SILENCE=60s")
	m.fill(animals(300))
	common := []string{"-kafka=" + m.broker.Addr, "-layout=" + m.layout}
	call := func(code int, command string, parts ...string) {
		t.Helper()
		args := append([]string{command}, common...)
		if command == "run" {
			args = append(args, "-roots="+m.roles, "-linger=1s")
		}
		want(t, path, code, parts, args...)
	}
	call(0, "plan", "from documents, 1 shards, modulo", "to   documents-2, 2 shards, jump", "300 documents")
	call(0, "status", `"phase": "serving"`, `"topic": "documents"`, "nothing moves")
	call(1, "abort", "nothing to abort")

	// Aborted while it is copied. The one that copies waits for roots, which do not have its file, and hears of it.
	mine := m.layout + ".mine"
	theirs := m.layout
	m.layout = mine
	m.lay(m.now + moving(m.next))
	m.layout = theirs
	m.lay(m.now)
	await.That(t, "the roots to have no next layout", func() bool {
		for root := range m.roots {
			if c := m.status(root).Control; c == nil || c.Prepared {
				return false
			}
		}
		return true
	})
	waiting := launch(t, path, "run", "-kafka="+m.broker.Addr, "-layout="+mine, "-roots="+m.roles)
	m.awaitPhase(control.Copying)
	call(0, "status", `"phase": "copying"`, "abort leads back")
	call(0, "abort", "aborted")
	if code := waiting.end(); code != 3 || !strings.Contains(waiting.said.String(), "aborted") {
		t.Errorf("who was copying ends with %d: %s", code, waiting.said.String())
	}
	m.awaitPhase(control.Serving)
	m.awaitWritten("documents")
	m.lay(m.now + moving(m.next))
	call(1, "run", "move to a topic that is new")

	// Aborted while it is being sealed, by another topic.
	m.lay(m.now + moving(m.section("documents-b", 2)))
	if err := m.drive(control.Sealing); err != nil {
		t.Fatal(err)
	}
	m.awaitProblem(0, http.MethodPut, "/v1/documents/x", `{"title": "x"}`, "#log-unavailable", "phase sealing since", "searchreshard run", `"next":"documents-b"`)
	call(0, "status", `"phase": "sealing"`, "after abort")
	call(0, "abort", "aborted")
	m.awaitWritten("documents")

	// A third one is sealed, and then its driver is killed: nothing is written until the command is run again.
	m.lay(m.now + moving(m.section("documents-c", 2)))
	if err := m.drive(control.Sealed); err != nil {
		t.Fatal(err)
	}
	m.awaitProblem(1, http.MethodPut, "/v1/documents/x", `{"title": "x"}`, "#log-unavailable", "phase sealed since", "searchreshard run")
	call(0, "status", `"phase": "sealed"`, "no way back")
	call(1, "abort", "no way back")
	m.awaitAnswer(0, "documents", true)
	call(0, "run", `"phase": "serving"`, `"topic": "documents-c"`)
	m.awaitWritten("documents-c")
	for root := range m.roots {
		m.awaitAnswer(root, "documents-c", true)
	}
	call(0, "run", "serves already")
}

// later tells whether the move from which a root is asked is behind a phase: they may be short.
func later(now *search.ControlStatus, phase control.Phase) bool {
	order := []control.Phase{control.Copying, control.Sealing, control.Sealed, control.Switched}
	return len(now.Past) > 0 || slices.Index(order, now.Phase) > slices.Index(order, phase)
}

// The broker ends in the middle of each phase, as a machine does and as it is asked to, and is started again with its data.
func TestAMoveBearsTheEndOfTheBrokerInEachPhase(t *testing.T) {
	path := built(t)
	moveUnderLoad(t, true, func(m *move) error {
		s := launch(t, path, "run", "-kafka="+m.broker.Addr, "-layout="+m.layout, "-roots="+m.roles, "-linger=5s")
		for i, phase := range []control.Phase{control.Copying, control.Sealing, control.Switched} {
			await.Seen(t, "phase "+string(phase), func() (any, bool) {
				now := m.status(0).Control
				return now, now != nil && (now.Phase == phase || later(now, phase))
			})
			if i%2 == 0 {
				m.broker.Kill()
			} else {
				m.broker.Stop()
			}
			m.broker.Start()
			t.Logf("the broker was started again in phase %s", phase)
		}
		if code := s.end(); code != 0 {
			return fmt.Errorf("status %d: %s", code, s.said.String())
		}
		return nil
	})
}

// Who ends the command hears how to go on.
func TestAnInterruptedCommandSaysThatItCanGoOn(t *testing.T) {
	path := built(t)
	m := &move{t: t, layout: filepath.Join(t.TempDir(), "layout.yaml")}
	m.lay("control: documents.layout\nshards: [127.0.0.1:1]\nnext: {topic: documents-2, shards: [127.0.0.1:1]}\n")
	s := launch(t, path, "run", "-kafka="+nettest.Refuse(t), "-layout="+m.layout, "-roots=127.0.0.1:1")
	await.That(t, "the command to try", func() bool { return strings.Contains(s.said.String(), "cannot be reached") })
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := s.end(); code != 1 || !strings.Contains(s.said.String(), "the same command goes on with it") {
		t.Errorf("status %d: %s", code, s.said.String())
	}
}
