package docstest

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const root = "../.."

// pages are executed in this order, against one fleet, which is ready before each.
var pages = []string{"s5-containers.md", "r1-replicated.md", "r2-sessions.md", "r3-cache.md", "r4-limits.md", "r5-edge.md", "d1-redismetrics.md", "d2-lognorm.md"}

// fleet is a running local fleet.
type fleet struct {
	dir         string
	https, http string // ports
	groups      []int  // process groups that commands have left in the background
}

// commandLimit bounds one command of a page.
const commandLimit = 90 * time.Second

func TestCommandsOfThePagesPrintWhatThePagesSay(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the fleet")
	}
	for _, program := range []string{"curl", "sh"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	f := up(t)
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(root, "docs", page))
			if err != nil {
				t.Fatal(err)
			}
			steps, err := Parse(string(text))
			if err != nil {
				t.Fatalf("%s: %v", page, err)
			}
			for _, want := range []string{"## Try it", "## Break it"} {
				if !strings.Contains(string(text), want+"\n") {
					t.Errorf("%s has no %q", page, want)
				}
			}
			f.awaitReady(t)
			for _, s := range steps {
				out := f.run(t, s.Command)
				if missing := Check(s.Want, out); missing != "" {
					t.Fatalf("docs/%s:%d:\n$ %s\nshould print: %s\nand printed:\n%s", page, s.Line, s.Command, missing, out)
				}
			}
		})
	}
}

// up starts the fleet on free ports in a directory of the test.
func up(t *testing.T) *fleet {
	t.Helper()
	dir, err := os.MkdirTemp("", "fleet-docs-") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{dir: dir, https: "8443", http: "8080"}
	t.Cleanup(func() {
		for _, leader := range f.groups {
			_ = syscall.Kill(-leader, syscall.SIGKILL) // has ended by itself: what was wanted
		}
		t.Log(f.run(t, "go run ./infra/local down --now"))
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	out := f.run(t, "go run ./infra/local up -d --json --https-port 0 --http-port 0")
	var status struct {
		State string
		URLs  map[string]string
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil || status.State != "ready" {
		t.Fatalf("the fleet did not start: %v\n%s", err, out)
	}
	f.https, f.http = port(t, status.URLs["dictionary"]), port(t, status.URLs["redirect"])
	return f
}

func port(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Port() == "" {
		t.Fatalf("%q: %v", address, err)
	}
	return u.Port()
}

// awaitReady waits until a page before has been got over.
func (f *fleet) awaitReady(t *testing.T) {
	t.Helper()
	out := f.run(t, `until go run ./infra/local status --json | grep -q '^  "state": "ready"'; do sleep 0.2; done; echo ready`)
	if strings.TrimSpace(out) != "ready" {
		t.Fatalf("the fleet does not become ready: %s", out)
	}
}

// run executes a command of a page and returns all that it printed. Its exit status is
// part of what a page may show ("; echo $?"), not of the test.
func (f *fleet) run(t *testing.T, command string) string {
	t.Helper()
	command = strings.NewReplacer(".flotilla/", f.dir+"/", ":8443", ":"+f.https, ":8080", ":"+f.http).Replace(command)
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "FLOTILLA_DIR="+f.dir)
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	defer func() {
		if cmd.Process != nil && syscall.Kill(-cmd.Process.Pid, 0) == nil { // somebody is left
			f.groups = append(f.groups, cmd.Process.Pid)
		}
	}()
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Errorf("$ %s\ndid not end in %s: %v", command, commandLimit, err)
	}
	return strings.NewReplacer(":"+f.https, ":8443", ":"+f.http, ":8080", f.dir+"/", ".flotilla/").Replace(string(out))
}
