package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/control"
	"github.com/flotilla-dev/flotilla/infra/local/internal/proc"
	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestAFleetStartsInOrderAndStopsInReverse(t *testing.T) {
	t.Parallel()
	h, f := up(t, testConfig(t))
	if f.State != "ready" || len(f.Processes) != 6 {
		t.Fatalf("the fleet is %s with %d processes", f.State, len(f.Processes))
	}
	for _, p := range f.Processes {
		if !isReady(p) || !proc.Alive(p.PID, p.Start) {
			t.Errorf("%s is %s", p.Instance, p.State)
		}
	}
	if got := h.must("down", control.Request{}); !strings.Contains(got, "stopping edge-1, edge-2\nstopping base-1, web-1, web-2, web-3") {
		t.Errorf("down said:\n%s", got)
	}
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
	order := strings.Join(h.lines(), " ")
	for _, before := range [][2]string{{"up base-1", "up web"}, {"up web-3", "up edge"}, {"end edge-1", "down web"}, {"end edge-2", "down base-1"}} {
		if strings.Index(order, before[0]) > strings.Index(order, before[1]) {
			t.Errorf("%s came after %s in: %s", before[0], before[1], order)
		}
	}
	for _, p := range f.Processes {
		if proc.Alive(p.PID, p.Start) {
			t.Errorf("%s is left", p.Instance)
		}
	}
	for _, name := range []string{"fleet.json", "endpoints", "control.sock"} {
		if _, err := os.Stat(filepath.Join(h.dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left", name)
		}
	}
}

func TestAKilledProcessComesBackUnderItsNameAndPortsAtOnce(t *testing.T) {
	t.Parallel()
	h, _ := up(t, testConfig(t))
	before := h.process("web-2")
	begin := time.Now()
	if said := h.must("kill", control.Request{Name: "web-2", Signal: "SIGKILL"}); !strings.Contains(said, fmt.Sprint(before.PID)) {
		t.Errorf("kill said %q", said)
	}
	after := h.until("web-2", "back", func(p state.Process) bool { return isReady(p) && p.PID != before.PID })
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
	if after.Data != before.Data || after.Admin != before.Admin || after.Restarts != 1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if name, err := ask("http://" + after.Data); err != nil || name != "web-2" {
		t.Errorf("its address answers %q, %v", name, err)
	}
	if _, err := h.do("kill", control.Request{Name: "web", Signal: "KILL"}); err == nil || !strings.Contains(err.Error(), "web-1, web-2, web-3") {
		t.Errorf("killing a service of three: %v", err)
	}
	if _, err := h.do("kill", control.Request{Name: "web-1", Signal: "NONE"}); err == nil || !strings.Contains(err.Error(), "NONE") {
		t.Errorf("an unknown signal: %v", err)
	}
}

func TestACrashLoopIsSlowedDownAndEndsWhenTheCauseIsGone(t *testing.T) {
	t.Parallel()
	h, _ := up(t, testConfig(t))
	h.write(h.file("web-1", "exit"), "1")
	h.must("kill", control.Request{Name: "web-1", Signal: "KILL"})
	p := h.until("web-1", "crashing", func(p state.Process) bool { return p.Restarts >= 4 && p.State == "crashed" })
	if p.Reason != "exit status 1" {
		t.Errorf("the reason is %q", p.Reason)
	}
	if f := h.fleet(); f.State != "degraded" {
		t.Errorf("the fleet is %s", f.State)
	}
	if err := os.Remove(h.file("web-1", "exit")); err != nil {
		t.Fatal(err)
	}
	h.until("web-1", "back", isReady)
}

func TestARollingRestartNeverHasTwoDown(t *testing.T) {
	t.Parallel()
	h, before := up(t, testConfig(t))
	said := h.must("restart", control.Request{Name: "web"})
	if strings.Count(said, "restarted web-") != 3 {
		t.Errorf("restart said:\n%s", said)
	}
	down := map[string]bool{}
	restarted := 0
	for _, line := range h.lines() {
		event, name, _ := strings.Cut(line, " ")
		switch {
		case !strings.HasPrefix(name, "web-"):
		case event == "down":
			down[name] = true
		case event == "up" && down[name]:
			delete(down, name)
			restarted++
		}
		if len(down) > 1 {
			t.Fatalf("two are down at once in: %v", h.lines())
		}
	}
	if restarted != 3 {
		t.Errorf("%d were restarted", restarted)
	}
	for _, p := range before.Processes {
		if p.Name == "web" && h.process(p.Instance).Data != p.Data {
			t.Errorf("%s has another port", p.Instance)
		}
		if now := h.process(p.Instance); now.Restarts != 0 {
			t.Errorf("%s counts a restart that was wanted as a crash", p.Instance)
		}
	}
}

func TestARollingRestartStopsAtOneThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	h, before := up(t, cfg)
	h.write(h.file("web-1", "unready"), "")
	finished := make(chan error, 1)
	go func() {
		_, err := h.do("restart", control.Request{Name: "web"})
		finished <- err
	}()
	if err := <-finished; err == nil || !strings.Contains(err.Error(), "web-1") {
		t.Errorf("the error is %v", err)
	}
	for _, p := range before.Processes {
		if p.Instance != "web-1" && h.process(p.Instance).PID != p.PID {
			t.Errorf("%s was restarted", p.Instance)
		}
	}
}

func TestNewConnectionsSurviveARestartOfAllWhoShareTheListener(t *testing.T) {
	t.Parallel()
	h, f := up(t, testConfig(t))
	stop := make(chan struct{})
	failed := make(chan error, 1)
	served := map[string]int{}
	asking := make(chan struct{})
	go func() {
		defer close(asking)
		for {
			select {
			case <-stop:
				return
			default:
			}
			name, err := ask(f.URLs["web"])
			if err != nil {
				failed <- err
				return
			}
			served[name]++
		}
	}()
	h.must("restart", control.Request{Name: "edge"})
	close(stop)
	<-asking
	select {
	case err := <-failed:
		t.Errorf("a request failed: %v", err)
	default:
	}
	if served["edge-1"] == 0 || served["edge-2"] == 0 {
		t.Errorf("requests were served by %v", served)
	}
}

func TestEndpointsAreWholeAndLoseAReplicaBeforeItIsTold(t *testing.T) {
	t.Parallel()
	h, _ := up(t, testConfig(t))
	file := filepath.Join(h.dir, "endpoints", "web")
	stop := make(chan struct{})
	watched := make(chan string, 1)
	go func() { // what a caller sees at any moment
		for {
			content, err := os.ReadFile(file)
			lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
			for _, line := range lines {
				if err != nil || len(strings.Fields(line)) != 3 || len(lines) < 2 {
					watched <- fmt.Sprintf("%q, %v", content, err)
					return
				}
			}
			down, _ := os.ReadFile(h.journal)
			if strings.Contains(string(down), "down web-3") && strings.Contains(string(content), "web-3") {
				again, _ := os.ReadFile(file)
				if strings.Contains(string(again), "web-3") {
					watched <- "web-3 was told to end while it was published"
					return
				}
			}
			select {
			case <-stop:
				watched <- ""
				return
			default:
			}
		}
	}()
	h.must("scale", control.Request{Name: "web", Count: 2})
	close(stop)
	if what := <-watched; what != "" {
		t.Errorf("a caller sees: %s", what)
	}
	content, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(content), "web-3") || strings.Count(string(content), "\n") != 2 {
		t.Errorf("the file has %q, %v", content, err)
	}
}

func TestScalingUpPublishesWhatIsReady(t *testing.T) {
	t.Parallel()
	h, _ := up(t, testConfig(t))
	h.must("scale", control.Request{Name: "web", Count: 5})
	content, err := os.ReadFile(filepath.Join(h.dir, "endpoints", "web"))
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 5; n++ {
		p := h.process(fmt.Sprintf("web-%d", n))
		if line := fmt.Sprintf("web-%d %s %s\n", n, p.Data, p.Admin); !isReady(p) || !strings.Contains(string(content), line) {
			t.Errorf("%+v is not in %q", p, content)
		}
	}
	var order []string
	for _, p := range h.fleet().Processes {
		order = append(order, p.Instance)
	}
	if want := []string{"base-1", "web-1", "web-2", "web-3", "web-4", "web-5", "edge-1", "edge-2"}; !slices.Equal(order, want) {
		t.Errorf("the order is %v", order)
	}
	for name, count := range map[string]int{"base": 2, "web": 0, "nobody": 1} {
		if _, err := h.do("scale", control.Request{Name: name, Count: count}); err == nil {
			t.Errorf("%s was scaled to %d", name, count)
		}
	}
	h.write(h.file("web-6", "exit"), "2")
	if _, err := h.do("scale", control.Request{Name: "web", Count: 6}); err == nil || !strings.Contains(err.Error(), "crashing at start, as told") {
		t.Errorf("a replica that does not start: %v", err)
	}
	if n := len(h.fleet().Processes); n != 8 {
		t.Errorf("there are %d processes", n)
	}
}

func TestAPausedProcessKeepsItsPlaceAndGoesOn(t *testing.T) {
	t.Parallel()
	h, _ := up(t, testConfig(t))
	before := h.process("web-1")
	h.must("pause", control.Request{Name: "web-1"})
	h.until("web-1", "paused", func(p state.Process) bool { return p.State == "paused" })
	conn, err := net.DialTimeout("tcp", before.Data, time.Second) // by the kernel
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	h.must("resume", control.Request{Name: "web-1"})
	if after := h.until("web-1", "ready", isReady); after.PID != before.PID {
		t.Error("it is another process")
	}
	h.must("pause", control.Request{Name: "web-1"})
	if said := h.must("restart", control.Request{Name: "web-1"}); !strings.Contains(said, "restarted web-1") {
		t.Errorf("restarting a paused one said %q", said)
	}
	h.must("pause", control.Request{Name: "web-2"})
	h.must("down", control.Request{}) // a paused one does not hold it up
}

func TestAnUnreadyProcessIsShownWithItsReason(t *testing.T) {
	t.Parallel()
	h, _ := up(t, testConfig(t))
	h.write(h.file("web-1", "unready"), "")
	p := h.until("web-1", "unready", func(p state.Process) bool { return p.State == "unready" })
	if p.Reason != "not ready: not now" {
		t.Errorf("the reason is %q", p.Reason)
	}
}

func TestOneThatIgnoresSIGTERMIsKilledAfterItsGrace(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Table[1].Env["TEST_DEAF"] = "on"
	h, f := up(t, cfg)
	begin := time.Now()
	h.must("down", control.Request{})
	// The grace is DRAIN_DELAY + DRAIN_TIMEOUT + 2 s = 2.55 s.
	if took := time.Since(begin); took < 2500*time.Millisecond || took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, p := range f.Processes {
		if proc.Alive(p.PID, p.Start) {
			t.Errorf("%s is left", p.Instance)
		}
	}
}

func TestDownNowDoesNotWait(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	for i := range cfg.Table {
		cfg.Table[i].Env["TEST_DEAF"] = "on"
	}
	h, _ := up(t, cfg)
	begin := time.Now()
	h.must("down", control.Request{Now: true})
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestATakenPortNamesWhoHoldsIt(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg := testConfig(t)
	cfg.Public[0].Port = ln.Addr().(*net.TCPAddr).Port
	h, _ := begin(t, cfg)
	err = <-h.ended
	h.ended <- nil
	for _, want := range []string{fmt.Sprintf("tcp port %d is taken", cfg.Public[0].Port), "process " + strconv.Itoa(os.Getpid()), filepath.Base(os.Args[0]), "--https-port"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestATakenDatagramPortIsNamed(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0") // the TCP port of that number must be free
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp", free.Addr().String())
	free.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cfg := testConfig(t)
	cfg.Public[0].Port, cfg.Public[0].Datagrams = conn.LocalAddr().(*net.UDPAddr).Port, true
	h, _ := begin(t, cfg)
	err = <-h.ended
	h.ended <- nil
	if err == nil || !strings.Contains(err.Error(), "udp port") || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("the error is %v", err)
	}
}

func TestWrongConfigurationEndsTheStartAndIsQuoted(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	h, _ := begin(t, cfg)
	h.write(h.file("web-1", "exit"), "2")
	err := <-h.ended
	h.ended <- nil
	if err == nil || !strings.Contains(err.Error(), "web-1 does not start") || !strings.Contains(err.Error(), "crashing at start, as told") {
		t.Errorf("the error is %v", err)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "fleet.json")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a fleet that did not start is on record")
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Table[2].Package = "./services/none/cmd/none"
	h, _ := begin(t, cfg)
	err := <-h.ended
	h.ended <- nil
	if err == nil || !strings.Contains(err.Error(), "services/none/cmd/none") {
		t.Errorf("the error is %v", err)
	}
}

func TestASecondRunnerIsTurnedAway(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	h, _ := up(t, cfg)
	second, _ := begin(t, cfg)
	err := <-second.ended
	second.ended <- nil
	if !errors.Is(err, state.ErrRunning) {
		t.Errorf("the error is %v", err)
	}
	if f := h.fleet(); f.State != "ready" {
		t.Errorf("the first fleet is %s", f.State)
	}
}

func TestPortsAreKeptFromFleetToFleet(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	h, before := up(t, cfg)
	h.must("down", control.Request{})
	<-h.ended
	h.ended <- nil
	_, after := up(t, cfg)
	for i, p := range after.Processes {
		if p.Data != before.Processes[i].Data && p.Name != "edge" {
			t.Errorf("%s moved from %s to %s", p.Instance, before.Processes[i].Data, p.Data)
		}
		_, port, _ := net.SplitHostPort(p.Admin)
		if n, _ := strconv.Atoi(port); n >= proc.FirstEphemeral() {
			t.Errorf("%s has port %d, which an outgoing connection may take", p.Instance, n)
		}
	}
}

func TestFleetJSONIsOnlyItsOwnersAndAgrees(t *testing.T) {
	t.Parallel()
	h, f := up(t, testConfig(t))
	for _, name := range []string{"fleet.json", "control.sock", "endpoints/web", "ports.json"} {
		info, err := os.Stat(filepath.Join(h.dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	await.That(t, "the file says that the fleet is ready", func() bool {
		onDisk, err := state.Read(h.dir)
		return err == nil && onDisk.State == "ready" && len(onDisk.Processes) == 6 && onDisk.Processes[3].PID == f.Processes[3].PID
	})
	memory := int64(0)
	for _, p := range h.fleet().Processes {
		memory += p.Memory
	}
	if memory < 1<<20 {
		t.Errorf("six processes use %d bytes", memory)
	}
	if err := syscall.Kill(f.Runner.PID, 0); err != nil || !proc.Alive(f.Runner.PID, f.Runner.Start) {
		t.Error("the runner is not named")
	}
}

func TestDownEndsAStartThatIsUnderWay(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	preparing := make(chan struct{})
	cfg.Prepare = func(ctx context.Context) error {
		close(preparing)
		<-ctx.Done()
		return ctx.Err()
	}
	h, _ := begin(t, cfg)
	select {
	case <-preparing:
	case err := <-h.ended:
		t.Fatal(err)
	}
	if f := h.fleet(); f.State != "starting" {
		t.Errorf("the fleet is %s", f.State)
	}
	if _, err := h.do("restart", control.Request{Name: "web"}); err == nil || !strings.Contains(err.Error(), "the fleet is starting") {
		t.Errorf("a restart before its time: %v", err)
	}
	h.must("down", control.Request{})
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
	h.ended <- nil
}

func TestDownEndsARestartAndAScalingThatAreUnderWay(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"restart", "scale"} {
		cfg := testConfig(t)
		cfg.ReadyTimeout = time.Minute
		h, _ := up(t, cfg)
		h.write(h.file("web-1", "unready"), "")
		h.write(h.file("web-4", "unready"), "")
		failed := make(chan error, 1)
		go func() {
			_, err := h.do(command, control.Request{Name: "web", Count: 4})
			failed <- err
		}()
		await.That(t, "it is under way", func() bool {
			lines := strings.Join(h.lines(), " ")
			return strings.Contains(lines, "up web-4") || strings.Count(lines, "up web-1") == 2
		})
		h.must("down", control.Request{})
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "the fleet goes down") {
			t.Errorf("%s ends with %v", command, err)
		}
		for _, p := range h.lines() {
			if strings.HasPrefix(p, "up web-4") && !strings.Contains(strings.Join(h.lines(), " "), "end web-4") {
				t.Error("web-4 was not stopped in order")
			}
		}
	}
}
