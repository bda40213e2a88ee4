package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/infra/local/internal/proc"
	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
	"github.com/flotilla-dev/flotilla/internal/await"
)

// runnerVariable makes this test binary be the runner, with a fleet of test
// programs: what is tested are processes, signals and terminals.
const runnerVariable = "LOCAL_TEST_RUNNER"

func TestMain(m *testing.M) {
	if os.Getenv(runnerVariable) != "" {
		os.Exit(run(testFleet(), os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

func testFleet() definition {
	program := "./internal/fleet/testdata/testprog"
	rows := []topology.Service{
		{Name: "web", Package: program, Count: 2, Env: map[string]string{"TEST_GRANDCHILD": "on", "TEST_EXIT_FILE": `{{private "exit"}}`}},
		{Name: "edge", Package: program, Count: 2, Needs: []string{"web"}, Env: map[string]string{"UPSTREAM": `{{endpoints "web"}}`},
			Public:    []topology.Public{{Name: "https", Variable: "LISTEN_ADDR"}},
			Datagrams: &topology.Datagrams{Name: "http3", Variable: "TEST_HTTP3_ADDR", Public: "https"}},
	}
	return definition{
		table: rows,
		choose: func(groups []string) ([]topology.Service, error) {
			if slices.Contains(groups, "web") {
				return rows[:1], nil
			}
			return rows, nil
		},
		common: map[string]string{
			"DRAIN_DELAY": "20ms", "DRAIN_TIMEOUT": "1s", "TEST_GREETING": `{{secret "admin-token"}}`, "TEST_JOURNAL": `{{shared "dictionary/journal"}}`,
		},
		prepare: prepare,
	}
}

// place is a directory for the state of a fleet.
type place struct {
	*testing.T
	dir string
}

func newPlace(t *testing.T) place {
	t.Helper()
	dir, err := os.MkdirTemp("", "local") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	p := place{t, dir}
	t.Cleanup(func() {
		p.local("down", "--now")
		os.RemoveAll(dir)
	})
	return p
}

func (p place) command(args ...string) *exec.Cmd {
	p.Helper()
	root, err := os.Getwd()
	if err != nil {
		p.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	p.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"--root", root, "--dir", p.dir}, args...)...)
	cmd.Env = append(os.Environ(), runnerVariable+"=1")
	return cmd
}

// local runs a command to its end.
func (p place) local(args ...string) (code int, out string) {
	p.Helper()
	text, err := p.command(args...).CombinedOutput()
	if err == nil {
		return 0, string(text)
	}
	ended, ok := err.(*exec.ExitError)
	if !ok {
		p.Fatalf("%v: %v", args, err)
	}
	return ended.ExitCode(), string(text)
}

func (p place) must(args ...string) string {
	p.Helper()
	code, out := p.local(args...)
	if code != 0 {
		p.Fatalf("%v: exit %d:\n%s", args, code, out)
	}
	return out
}

// upDetached starts a fleet in the background.
func (p place) upDetached(args ...string) string {
	p.Helper()
	return p.must(append([]string{"up", "-d", "--https-port", "0", "--http-port", "0"}, args...)...)
}

func (p place) fleet() state.Fleet {
	p.Helper()
	var f state.Fleet
	if err := json.Unmarshal([]byte(p.must("status", "--json")), &f); err != nil {
		p.Fatal(err)
	}
	return f
}

// grandchildren are what the processes of the fleet have started.
func (p place) grandchildren() []int {
	p.Helper()
	journal, err := os.ReadFile(filepath.Join(p.dir, "shared", "dictionary", "journal"))
	if err != nil {
		p.Fatal(err)
	}
	var pids []int
	for line := range strings.Lines(string(journal)) {
		if number, found := strings.CutPrefix(strings.TrimSpace(line), "grandchild "); found {
			pid, err := strconv.Atoi(number)
			if err != nil {
				p.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

func gone(t *testing.T, f state.Fleet) {
	t.Helper()
	for _, p := range f.Processes {
		await.That(t, p.Instance+" is gone", func() bool { return !proc.Alive(p.PID, p.Start) })
	}
}

func TestADetachedFleetRunsOnAndGoesDown(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	out := p.upDetached()
	for _, want := range []string{"web-1", "edge-2", "ready", "curl --cacert", "4 processes", "built "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	f := p.fleet()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	public, err := url.Parse(f.URLs["dictionary"])
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get("http://127.0.0.1:" + public.Port())
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.HasPrefix(string(body), "edge-") {
		t.Errorf("the public address answers %q", body)
	}
	if again := p.upDetached(); !strings.Contains(again, "the fleet is up already") || !strings.Contains(again, "web-1") {
		t.Errorf("a second up says:\n%s", again)
	}
	if out := p.must("kill", "web-1"); !strings.Contains(out, "sent SIGKILL to web-1") {
		t.Errorf("kill says %q", out)
	}
	if out := p.must("down"); !strings.Contains(out, "the fleet is down") {
		t.Errorf("down says %q", out)
	}
	gone(t, f)
	if code, out := p.local("down"); code != 0 || !strings.Contains(out, "nothing is running") {
		t.Errorf("a second down: exit %d, %q", code, out)
	}
	if code, out := p.local("status"); code != exitDown || !strings.Contains(out, "nothing is running") {
		t.Errorf("status: exit %d, %q", code, out)
	}
	if code, _ := p.local("kill", "web-1"); code != exitFailed {
		t.Errorf("kill without a fleet: exit %d", code)
	}
}

func TestAKilledRunnerLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.upDetached()
	f := p.fleet()
	if err := syscall.Kill(f.Runner.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(t, f) // by the kernel, which tells the children of their parent's death
	out := p.must("down")
	if !strings.Contains(out, "nothing is running") && !strings.Contains(out, "ended what") {
		t.Errorf("down says %q", out)
	}
	p.upDetached()
	if f := p.fleet(); f.State != "ready" {
		t.Errorf("the next fleet is %s", f.State)
	}
	p.must("down")
	for _, pid := range p.grandchildren() {
		if _, err := proc.Start(pid); err == nil && parent(pid) != 1 {
			t.Errorf("grandchild %d is left", pid)
		}
	}
}

func parent(pid int) int {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(after)
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(fields[1])
	return n
}

// A record of a fleet whose processes outlived the runner, as on a system that
// does not tell children of their parent's death.
func TestWhatARunnerLeftIsEndedByNumberAndStart(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	left := startSleeper(t)
	other := startSleeper(t) // has the number that the record names, and another start
	start, err := proc.Start(left.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	err = state.Write(p.dir, state.Fleet{State: "ready", Processes: []state.Process{
		{Instance: "web-1", Identity: state.Identity{PID: left.Process.Pid, Start: start}},
		{Instance: "web-2", Identity: state.Identity{PID: other.Process.Pid, Start: "1@another-boot"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	out := p.must("down")
	if !strings.Contains(out, fmt.Sprintf("web-1 (process %d)", left.Process.Pid)) || strings.Contains(out, "web-2") {
		t.Errorf("down says %q", out)
	}
	left.Wait() // it was killed
	if _, err := proc.Start(other.Process.Pid); err != nil {
		t.Error("somebody else's process was ended")
	}
}

func startSleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

func TestCtrlCStopsAFleetInTheForeground(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	cmd := p.command("up", "--https-port", "0", "--http-port", "0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var f state.Fleet
	var all strings.Builder
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "Ctrl-C stops the fleet") {
			f = p.fleet()
			p.must("restart", "web-1") // writes a line into the log
		}
		if strings.Contains(lines.Text(), "web-1        | serving") {
			cmd.Process.Signal(os.Interrupt)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("up ends with %v after:\n%s", err, all.String())
	}
	if !strings.Contains(all.String(), "stopping edge-1, edge-2") {
		t.Errorf("the output is:\n%s", all.String())
	}
	if strings.Contains(all.String(), "\x1b[") {
		t.Error("there are colours where no terminal is")
	}
	if len(f.Processes) != 4 {
		t.Errorf("there were %d processes", len(f.Processes))
	}
	gone(t, f)
}

func TestATakenPortEndsTheStartAndNamesTheHolder(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := newPlace(t)
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	for _, detached := range []string{"-d", "--json"} {
		code, out := p.local("up", detached, "--https-port", port, "--http-port", "0")
		if code != exitFailed || !strings.Contains(out, fmt.Sprintf("tcp port %s is taken by process %d", port, os.Getpid())) {
			t.Errorf("%s: exit %d, output %q", detached, code, out)
		}
	}
}

func TestAProcessThatDoesNotStartEndsTheDetachedStart(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	exitFile := filepath.Join(p.dir, "data", "web-2", "exit")
	if err := os.MkdirAll(filepath.Dir(exitFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exitFile, []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := p.local("up", "-d", "--https-port", "0", "--http-port", "0")
	if code != exitFailed || !strings.Contains(out, "web-2 does not start") || !strings.Contains(out, "crashing at start, as told") {
		t.Errorf("exit %d, output:\n%s", code, out)
	}
	if code, _ := p.local("status"); code != exitDown {
		t.Error("something is left")
	}
}

func TestLogsAreShownByNameAndFollowed(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.upDetached("--set", "web.TEST_GREETING=ahoy")
	out := p.must("logs", "web")
	if !strings.Contains(out, "web-1        | serving ahoy\n") || !strings.Contains(out, "web-2        | serving ahoy\n") || strings.Contains(out, "edge") {
		t.Errorf("the logs are:\n%s", out)
	}
	if code, out := p.local("logs", "nobody"); code != exitFailed || !strings.Contains(out, "nobody") {
		t.Errorf("exit %d: %s", code, out)
	}
	follow := p.command("logs", "-f", "-n", "0", "web-2")
	pipe, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	p.must("kill", "web-2")
	if line, err := bufio.NewReader(pipe).ReadString('\n'); err != nil || line != "web-2        | serving ahoy\n" {
		t.Errorf("what follows is %q, %v", line, err)
	}
	follow.Process.Signal(os.Interrupt)
	if err := follow.Wait(); err != nil {
		t.Error(err)
	}
	if code, out := p.local("up", "--set", "nobody.X=1"); code != exitFailed || !strings.Contains(out, "nobody.X") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestSecretsAreMadeOnceForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var before []byte
	for range 2 {
		if err := prepare(dir)(context.Background()); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, "pki", "secrets", "admin-token"))
		if err != nil || len(content) != 65 {
			t.Fatalf("%d bytes, %v", len(content), err)
		}
		if before != nil && string(before) != string(content) {
			t.Error("the secret was replaced")
		}
		before = content
	}
	info, err := os.Stat(filepath.Join(dir, "pki", "secrets", "admin-token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestTheGroupsThatWereAskedForRun(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.upDetached("web")
	for _, one := range p.fleet().Processes {
		if one.Name != "web" {
			t.Errorf("%s runs, which nobody asked for", one.Instance)
		}
	}
	if code, out := p.local("up", "-d", "--https-port", "0", "--http-port", "0"); code != exitFailed || !strings.Contains(out, "without edge") {
		t.Errorf("up with more groups: exit %d, %q", code, out)
	}
	p.must("down")
}
