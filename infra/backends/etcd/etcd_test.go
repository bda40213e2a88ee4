package etcd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

// asProgram makes the test binary be the program. Members that have talked to each
// other leave connections that end seconds after them: three of them run in a
// process of their own, as a fleet has it.
const asProgram = "RUN_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		process.Main(Program, Run)
	}
	goleak.VerifyTestMain(m)
}

// client asks the administration. A member that hands over may take some seconds to stop.
var client = http.Client{Timeout: await.Limit}

// running is a server of this package.
type running struct {
	data, admin string
	stop        func() error
}

// start runs the program as its main would, and stops it with the test.
func start(t *testing.T, environ map[string]string) running {
	t.Helper()
	cfg := processtest.Parse[Config](t, Program, environ)
	p := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	r := running{data: p.Data, admin: p.Admin, stop: p.Stop}
	await.That(t, "it is ready", func() bool { status, _ := ask("GET", "http://"+r.admin+"/readyz"); return status == 200 })
	return r
}

// three starts three members.
func three(t *testing.T) running {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asProgram+"=1", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "ETCD_MEMBERS=3")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := waitFor(t, cmd); err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var line struct{ Msg, Data, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			go func() { _, _ = io.Copy(io.Discard, stderr) }() // keep its pipe empty
			r := running{data: line.Data, admin: line.Admin}
			await.That(t, "it is ready", func() bool { status, _ := ask("GET", "http://"+r.admin+"/readyz"); return status == 200 })
			return r
		}
	}
	t.Fatal("it ended before it listened")
	return running{}
}

// waitFor waits until a process has ended. One that does not is killed, so that it fails its own test only.
func waitFor(t *testing.T, cmd *exec.Cmd) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(await.Limit):
		t.Errorf("it runs on, and is killed after %s", await.Limit)
		_ = cmd.Process.Kill()
		return <-ended
	}
}

func ask(method, url string) (int, string) {
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

func connect(t *testing.T, addr string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{addr}, Logger: zap.NewNop(), DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestDataOutliveTheProcessOnlyInADirectory(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		env := map[string]string{"ETCD_DATA_DIR": dir}
		first := start(t, env)
		if _, err := connect(t, first.data).Put(deadline(t), "k", "v"); err != nil {
			t.Fatal(err)
		}
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		second := start(t, env)
		got, err := connect(t, second.data).Get(deadline(t), "k")
		if err != nil {
			t.Fatal(err)
		}
		if kept := got.Count == 1; kept != (dir != "") {
			t.Errorf("directory %q: %d keys are left", dir, got.Count)
		}
	}
}

func TestALostMemberIsNoticedByNobodyForLong(t *testing.T) {
	r := three(t)
	c := connect(t, r.data)
	if _, err := c.Put(deadline(t), "k", "1"); err != nil {
		t.Fatal(err)
	}
	leader := 0
	await.That(t, "there is a leader", func() bool { leader = leaderOf(t, r.admin); return leader > 0 })
	status, body := ask("POST", "http://"+r.admin+fmt.Sprintf("/members/%d/stop", leader))
	if status != 200 || !strings.Contains(body, `"running":false`) {
		t.Fatalf("%d %s", status, body)
	}
	await.That(t, "a write succeeds", func() bool {
		ctx, cancel := context.WithTimeout(deadline(t), 2*time.Second)
		defer cancel()
		_, err := c.Put(ctx, "k", "2")
		return err == nil
	})
	await.That(t, "there is another leader", func() bool { now := leaderOf(t, r.admin); return now > 0 && now != leader })
	if status, body := ask("POST", "http://"+r.admin+fmt.Sprintf("/members/%d/start", leader)); status != 200 || strings.Contains(body, `"running":false`) {
		t.Fatalf("%d %s", status, body)
	}
	got, err := c.Get(deadline(t), "k")
	if err != nil || string(got.Kvs[0].Value) != "2" {
		t.Errorf("the value is %v, %v", got, err)
	}
}

func leaderOf(t *testing.T, admin string) int {
	t.Helper()
	var all []state
	status, body := ask("GET", "http://"+admin+"/members")
	if err := json.Unmarshal([]byte(body), &all); err != nil || status != 200 {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	for _, m := range all {
		if m.Leader {
			return m.Member
		}
	}
	return 0
}

func TestWithoutAMajorityItIsNotReady(t *testing.T) {
	r := three(t)
	ask("POST", "http://"+r.admin+"/members/1/stop")
	ask("POST", "http://"+r.admin+"/members/2/stop")
	await.That(t, "it is not ready", func() bool { status, _ := ask("GET", "http://"+r.admin+"/readyz"); return status == 503 })
	if status, body := ask("POST", "http://"+r.admin+"/members/4/stop"); status != 404 {
		t.Errorf("a member that is not there: %d %s", status, body)
	}
	if status, body := ask("POST", "http://"+r.admin+"/members/1/kick"); status != 404 {
		t.Errorf("an action that is none: %d %s", status, body)
	}
}

// A member that has not found a majority never becomes ready, and can be stopped again.
func TestAMemberThatNeverWasReadyIsStopped(t *testing.T) {
	r := three(t)
	for n, action := range []string{"1/stop", "2/stop", "3/stop", "1/start", "1/stop"} {
		if status, body := ask("POST", "http://"+r.admin+"/members/"+action); status != 200 {
			t.Errorf("%d. %s: %d %s", n+1, action, status, body)
		}
	}
}

func TestOneClientTooManyIsLeft(t *testing.T) {
	r := start(t, map[string]string{"ETCD_MAX_CLIENTS": "1"})
	first, err := net.Dial("tcp", r.data)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	await.That(t, "the second is closed", func() bool {
		second, err := net.Dial("tcp", r.data)
		if err != nil {
			return false
		}
		defer second.Close()
		_ = second.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		_, err = second.Read(make([]byte, 1))
		return err == io.EOF
	})
}

// unstarted is a server without members that nobody serves yet.
func unstarted(cfg Config) *server {
	return newServer(cfg, &cluster{}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
}

func TestAStrangerIsRefused(t *testing.T) {
	for protected, want := range map[process.Switch]string{true: "protected", false: "stopped"} {
		near, far := net.Pipe() // its address is nobody's
		s := unstarted(Config{Protected: protected, MaxClients: 10})
		s.Handle(t.Context(), near)
		near.Close()
		far.Close()
		if n := testutil.ToFloat64(s.refused.WithLabelValues(want)); n != 1 {
			t.Errorf("%v were refused as %s", n, want)
		}
	}
}

// A leader is known before the member has joined, and nobody is answered before that.
func TestAMemberIsNotReadyBeforeItHasJoined(t *testing.T) {
	c, err := newCluster(processtest.Parse[Config](t, Program, nil), "127.0.0.1:1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // each time there is but a moment in which it could be
		if err := c.start(); err != nil {
			t.Fatal(err)
		}
		m := c.members[0]
		for server := m.running(); !joined(server); {
			if m.led() && !joined(server) {
				t.Fatal("it is ready and has not joined")
			}
		}
		await.That(t, "it is ready", c.led)
		m.stop()
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}

func TestMembersThatDoNotStopAreWaitedForNoLongerThanTheDrain(t *testing.T) {
	hung := &member{}
	hung.mu.Lock() // as while it starts or stops
	s := unstarted(Config{MaxClients: 1})
	s.cluster.members = []*member{hung}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(ctx) }()
	cancel()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "did not stop in time") {
			t.Errorf("%v", err)
		}
	case <-time.After(await.Limit):
		t.Error("it waits on")
	}
	hung.mu.Unlock()
}

func TestAFailureToAcceptPasses(t *testing.T) {
	s, ln := unstarted(Config{Protected: true, MaxClients: 10}), nettest.FailOnce(t)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF { // for want of a member
		t.Errorf("it was not accepted: %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	cfg, err := process.Parse[Config](Program, map[string]string{
		"ETCD_MEMBERS": "2", "ETCD_QUOTA": "1MiB", "ETCD_COMPACTION": "1ms", "ETCD_MAX_CLIENTS": "0",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(t.Context(), cfg)
	for _, name := range []string{"ETCD_MEMBERS", "ETCD_QUOTA", "ETCD_COMPACTION", "ETCD_MAX_CLIENTS"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	cfg.Members, cfg.DataDir = 3, "/somewhere"
	if err := cfg.validate(); err == nil || !strings.Contains(err.Error(), "ETCD_DATA_DIR") {
		t.Errorf("%v", err)
	}
}
