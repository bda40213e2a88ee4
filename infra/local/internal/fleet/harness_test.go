package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/infra/local/internal/control"
	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
	"github.com/flotilla-dev/flotilla/infra/local/internal/supervise"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testProgram = "./internal/fleet/testdata/testprog"

// harness is a fleet of test programs.
type harness struct {
	*testing.T
	dir     string
	journal string
	client  *control.Client
	ended   chan error

	mu   sync.Mutex // guards said
	said []string
}

// testConfig is the configuration of a fleet of three services: web (3) needs
// base (1), and edge (2) shares a public listener and needs web.
func testConfig(t *testing.T) Config {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "fleet") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	env := func(more ...string) map[string]string {
		all := map[string]string{
			"TEST_JOURNAL": filepath.Join(dir, "journal"), "DRAIN_DELAY": "50ms", "DRAIN_TIMEOUT": "500ms",
			"TEST_UNREADY_FILE": `{{private "unready"}}`, "TEST_EXIT_FILE": `{{private "exit"}}`,
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	return Config{
		Root: root, Dir: dir, Host: "127.0.0.1", ReadyTimeout: 10 * time.Second, Settle: time.Millisecond,
		Environ: []string{"PATH=" + os.Getenv("PATH")},
		Public:  []PublicPort{{Name: "https", Flag: "https-port"}},
		URLs: func(ports map[string]int) map[string]string {
			return map[string]string{"web": fmt.Sprintf("http://127.0.0.1:%d", ports["https"])}
		},
		Prepare: func(context.Context) error { return nil },
		Built:   func(int, string) {},
		Table: []topology.Service{
			{Name: "base", Package: testProgram, Count: 1, Single: true, Env: env()},
			{Name: "web", Package: testProgram, Count: 3, Needs: []string{"base"}, Env: env("TEST_GREETING", `{{addr "base"}}`)},
			{Name: "edge", Package: testProgram, Count: 2, Needs: []string{"web"}, Env: env("UPSTREAM", `{{endpoints "web"}}`),
				Public: []topology.Public{{Name: "https", Variable: "LISTEN_ADDR"}}},
		},
	}
}

// begin runs a fleet without waiting for it.
func begin(t *testing.T, cfg Config) (*harness, chan state.Fleet) {
	t.Helper()
	h := &harness{T: t, dir: cfg.Dir, journal: filepath.Join(cfg.Dir, "journal"), client: control.NewClient(cfg.Dir), ended: make(chan error, 1)}
	ready := make(chan state.Fleet, 1)
	cfg.OnReady = func(f state.Fleet) { ready <- f }
	cfg.Say = func(text string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.said = append(h.said, text)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		h.ended <- Run(ctx, cfg)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return h, ready
}

// up runs a fleet and waits until it is ready.
func up(t *testing.T, cfg Config) (*harness, state.Fleet) {
	t.Helper()
	h, ready := begin(t, cfg)
	select {
	case f := <-ready:
		return h, f
	case err := <-h.ended:
		h.ended <- err
		t.Fatalf("the fleet ended: %v", err)
	case <-time.After(60 * time.Second):
		t.Fatal("the fleet is not ready")
	}
	return nil, state.Fleet{}
}

// do gives a command and returns what was said.
func (h *harness) do(command string, r control.Request) (string, error) {
	h.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var said []string
	err := h.client.Do(ctx, command, r, func(text string) { said = append(said, text) })
	return strings.Join(said, "\n"), err
}

func (h *harness) must(command string, r control.Request) string {
	h.Helper()
	said, err := h.do(command, r)
	if err != nil {
		h.Fatalf("%s: %v", command, err)
	}
	return said
}

func (h *harness) fleet() state.Fleet {
	h.Helper()
	f, err := h.client.Fleet(context.Background())
	if err != nil {
		h.Fatal(err)
	}
	return f
}

func (h *harness) process(instance string) state.Process {
	h.Helper()
	for _, p := range h.fleet().Processes {
		if p.Instance == instance {
			return p
		}
	}
	h.Fatalf("there is no %s", instance)
	return state.Process{}
}

// until waits for a process to be as wanted.
func (h *harness) until(instance string, what string, wanted func(state.Process) bool) state.Process {
	h.Helper()
	var p state.Process
	await.That(h.T, instance+" is "+what, func() bool {
		p = h.process(instance)
		return wanted(p)
	})
	return p
}

func isReady(p state.Process) bool { return p.State == string(supervise.Ready) }

// file is a private file of a process, by which tests tell it what to do.
func (h *harness) file(instance, name string) string {
	return filepath.Join(h.dir, "data", instance, name)
}

func (h *harness) write(path, content string) {
	h.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		h.Fatal(err)
	}
}

func (h *harness) lines() []string {
	h.Helper()
	content, err := os.ReadFile(h.journal)
	if err != nil {
		h.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

// ask sends a request on a connection of its own.
func ask(url string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
