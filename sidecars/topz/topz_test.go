package topz_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/sidecars/topz"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// TestMain is also the main of a process that others look at: it holds memory until
// its input ends.
func TestMain(m *testing.M) {
	if os.Getenv("TOPZ_TEST_HOLD") != "" {
		held := make([]byte, 128<<20)
		for i := range held {
			held[i] = 1
		}
		_, _ = os.Stdin.Read(held[:1])
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// serve starts topz and returns the URLs of its listeners.
func serve(t *testing.T, env map[string]string) (data, admin string) {
	t.Helper()
	all := map[string]string{"TOPZ_INTERVAL": "100ms"}
	maps.Copy(all, env)
	cfg := processtest.Parse[topz.Config](t, topz.Program, all)
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return topz.Run(ctx, cfg) })
	return "http://" + running.Data, "http://" + running.Admin
}

func get(t *testing.T, url, accept string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func snapshot(t *testing.T, url string) topz.Snapshot {
	t.Helper()
	resp, text := get(t, url, "application/json")
	var s topz.Snapshot
	if err := json.Unmarshal([]byte(text), &s); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v\n%s", url, resp.StatusCode, err, text)
	}
	return s
}

// find waits until a process is seen as it is wanted.
func find(t *testing.T, url string, pid int, wanted func(topz.Row) bool) topz.Row {
	t.Helper()
	var last topz.Row
	await.Seen(t, fmt.Sprintf("process %d as it is wanted", pid), func() (any, bool) {
		for _, row := range snapshot(t, url).Processes {
			if row.PID == pid {
				last = row
				return row, wanted(row)
			}
		}
		return "no such process", false
	})
	return last
}

// start starts a program that lives until the test ends.
func start(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	return cmd
}

// resident reads memory the other way, from smaps_rollup, in bytes.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Rss:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib * 1024
		}
	}
	t.Fatalf("no Rss in\n%s", text)
	return 0
}

// The kernel counts resident pages per CPU for /proc/PID/stat, so small processes
// are a few hundred KiB off.
func TestMemoryIsThatOfTheProcess(t *testing.T) {
	data, _ := serve(t, nil)
	t.Setenv("TOPZ_TEST_HOLD", "on")
	holder := exec.Command(os.Args[0])
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close() // it ends
		_ = holder.Wait()
	}()
	find(t, data+"/topz", holder.Process.Pid, func(r topz.Row) bool {
		want := resident(t, holder.Process.Pid) // which grows until it holds all
		return r.RSS > 128<<20 && math.Abs(float64(r.RSS)-want) <= 0.05*want
	})
}

func TestAProcessIsShownAsProcSaysItIs(t *testing.T) {
	data, _ := serve(t, nil)
	sleeper := start(t, "sleep", "1000")
	row := find(t, data+"/topz", sleeper.Process.Pid, func(r topz.Row) bool { return r.Name == "sleep" && r.State == "S" && r.CPU != nil })
	if row.Command != "sleep 1000" || row.Threads != 1 || row.Parent != os.Getpid() || *row.CPU > 5 {
		t.Errorf("%+v", row)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", sleeper.Process.Pid))
	if err != nil || row.OpenFiles == nil || *row.OpenFiles != len(files) {
		t.Errorf("open files %v, want %d (%v)", row.OpenFiles, len(files), err)
	}
	if age := time.Since(row.Started); age < -time.Second || age > time.Minute {
		t.Errorf("started %s ago", age)
	}
}

func TestABusyProcessAndAStoppedOneAreToldApart(t *testing.T) {
	data, _ := serve(t, nil)
	busy := start(t, "sh", "-c", "while :; do :; done")
	find(t, data+"/topz", busy.Process.Pid, func(r topz.Row) bool { return r.CPU != nil && *r.CPU > 10 })
	if err := busy.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	find(t, data+"/topz", busy.Process.Pid, func(r topz.Row) bool { return r.State == "T" && r.CPU != nil && *r.CPU == 0 })
}

func TestSecretsInCommandLinesAreHidden(t *testing.T) {
	data, _ := serve(t, nil)
	cmd := start(t, "sh", "-c", "while :; do sleep 1000; done", "--password=hunter2", "--token", "hunter3", "mysql://root:hunter4@db:3306/x")
	row := find(t, data+"/topz", cmd.Process.Pid, func(r topz.Row) bool { return strings.Contains(r.Command, "--password") })
	if strings.Contains(row.Command, "hunter") || !strings.Contains(row.Command, "mysql://root:***@db:3306/x") {
		t.Errorf("the command is %q", row.Command)
	}
	quiet, _ := serve(t, map[string]string{"TOPZ_ARGUMENTS": "off"})
	if row := find(t, quiet+"/topz", cmd.Process.Pid, func(topz.Row) bool { return true }); row.Command != "sh" {
		t.Errorf("without arguments the command is %q", row.Command)
	}
}

func TestThePageIsForPeopleAndEscapesWhatProcessesSay(t *testing.T) {
	data, _ := serve(t, nil)
	cmd := start(t, "sh", "-c", "while :; do sleep 1000; done", "<script>alert(1)</script>")
	find(t, data+"/topz", cmd.Process.Pid, func(r topz.Row) bool { return strings.Contains(r.Command, "<script>") })
	resp, text := get(t, data+"/topz?sort=rss", "text/html,*/*;q=0.1")
	if resp.Header.Get("Content-Type") != "text/html; charset=UTF-8" || strings.Contains(text, "<script>") || !strings.Contains(text, "&lt;script&gt;") {
		t.Errorf("%v\n%s", resp.Header, text)
	}
	if !strings.Contains(text, `aria-sort="descending"><a href="?sort=rss">`) || !strings.Contains(text, `http-equiv="refresh"`) {
		t.Errorf("the page is\n%s", text)
	}
}

func TestRowsAreSortedAndBounded(t *testing.T) {
	data, _ := serve(t, map[string]string{"TOPZ_PROCESSES": "2"})
	start(t, "sleep", "1000")
	s := snapshot(t, data+"/topz?sort=rss")
	if len(s.Processes) != 2 || s.LeftOut < 1 || s.Processes[0].RSS < s.Processes[1].RSS {
		t.Errorf("%+v", s)
	}
	resp, text := get(t, data+"/topz?sort=size", "*/*")
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "cpu, files, name, pid, rss, started, threads") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if resp, _ := get(t, data+"/topz", "image/png"); resp.StatusCode != http.StatusNotAcceptable {
		t.Errorf("a picture: %d", resp.StatusCode)
	}
}

func TestMetricsAreThoseOfTheProcesses(t *testing.T) {
	data, admin := serve(t, nil)
	cmd := start(t, "sleep", "1000")
	find(t, data+"/topz", cmd.Process.Pid, func(r topz.Row) bool { return r.Name == "sleep" })
	_, text := get(t, admin+"/metrics", "*/*")
	if want := fmt.Sprintf(`topz_process_threads{name="sleep",pid="%d"} 1`, cmd.Process.Pid); !strings.Contains(text, want) {
		t.Errorf("%s is missing in\n%s", want, text)
	}
}

func TestAWrongConfigurationIsNamed(t *testing.T) {
	cfg, err := process.Parse[topz.Config](topz.Program, map[string]string{"TOPZ_INTERVAL": "1ms", "TOPZ_PROCESSES": "0"})
	if err != nil {
		t.Fatal(err)
	}
	err = topz.Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "TOPZ_INTERVAL") || !strings.Contains(err.Error(), "TOPZ_PROCESSES") {
		t.Error(err)
	}
	cfg, err = process.Parse[topz.Config](topz.Program, map[string]string{"TOPZ_PROC": filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	if err := topz.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "TOPZ_PROC") {
		t.Error(err)
	}
}
