package memcached

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a server of this package.
type running struct{ data, admin string }

// start runs the program as its main would, and stops it with the test.
func start(t *testing.T, environ map[string]string) running {
	t.Helper()
	cfg := processtest.Parse[Config](t, Program, environ)
	p := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return running{p.Data, p.Admin}
}

// peer is a client that sees every byte.
type peer struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, addr string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &peer{t: t, Conn: conn, in: bufio.NewReader(conn)}
}

func (p *peer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Fatal(err)
	}
}

// line reads a line, without its end; a closed connection is "closed".
func (p *peer) line() string {
	p.t.Helper()
	line, err := p.in.ReadString('\n')
	if err != nil {
		return "closed"
	}
	return strings.TrimSuffix(line, "\r\n")
}

// ask sends commands and then a marker, and returns the answers before the
// marker's.
func (p *peer) ask(commands string) string {
	p.t.Helper()
	p.send(commands + "mn\r\n")
	var answer strings.Builder
	for {
		line, err := p.in.ReadString('\n')
		if err != nil || line == "MN\r\n" {
			return answer.String()
		}
		answer.WriteString(line)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestItIsReadyAndCounts(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	p := dial(t, r.data)
	p.ask("set k 0 0 1\r\nv\r\nget k\r\nget none\r\n")
	if status, body := get(t, "http://"+r.admin+"/readyz"); status != http.StatusOK {
		t.Errorf("not ready: %s", body)
	}
	_, body := get(t, "http://"+r.admin+"/metrics")
	for _, line := range []string{
		"memcached_connected_clients 1", "memcached_items 1",
		`memcached_commands_total{command="get",result="hit"} 1`, `memcached_commands_total{command="get",result="miss"} 1`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
}

func TestTheLeastRecentlyUsedMakeRoom(t *testing.T) {
	t.Parallel()
	p := dial(t, start(t, map[string]string{"MEMCACHED_MEMORY": "1MiB"}).data)
	value := strings.Repeat("x", 100<<10)
	for i := range 30 {
		p.ask(fmt.Sprintf("set k%d 0 0 %d\r\n%s\r\nget k0\r\n", i, len(value), value))
	}
	held := 0
	for i := range 30 {
		if strings.HasPrefix(p.ask(fmt.Sprintf("get k%d\r\n", i)), "VALUE") {
			held++
		}
	}
	if held != 10 { // of 100 KiB and a bit in 1 MiB
		t.Errorf("%d items are held", held)
	}
	if !strings.HasPrefix(p.ask("get k0\r\n"), "VALUE k0") {
		t.Error("the item that was read all the time is gone")
	}
	if stats := p.ask("stats\r\n"); !strings.Contains(stats, "STAT evictions 20\r\n") {
		t.Errorf("evictions: %s", stats)
	}
}

func TestTooManyClientsAreToldSo(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"MEMCACHED_MAX_CLIENTS": "1"})
	first := dial(t, r.data)
	first.ask("")
	if line := dial(t, r.data).line(); line != "ERROR Too many open connections" {
		t.Errorf("the second client reads %q", line)
	}
	first.Close()
	for {
		second := dial(t, r.data)
		if second.send("version\r\n"); strings.HasPrefix(second.line(), "VERSION") {
			return // the place of the first is free again
		}
	}
}

func TestASilentClientIsClosedWhenToldSo(t *testing.T) {
	t.Parallel()
	p := dial(t, start(t, map[string]string{"MEMCACHED_IDLE_TIMEOUT": "50ms"}).data)
	p.send("set k 0 0 5\r\nhal")
	if line := p.line(); line != "closed" {
		t.Errorf("it reads %q", line)
	}
}

func TestALineWithoutEndEndsOneClient(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for _, flood := range []string{strings.Repeat("x", 64<<10), "get " + strings.Repeat("k ", 1<<20)} {
		p := dial(t, r.data)
		go io.WriteString(p, flood)
		if line := p.line(); line != "CLIENT_ERROR line too long" {
			t.Errorf("%.8q…: %q", flood, line)
		}
	}
	if got := dial(t, r.data).ask("get k\r\n"); got != "END\r\n" {
		t.Errorf("after it: %q", got)
	}
}

func TestDataOfAWrongCommandIsNeverExecuted(t *testing.T) {
	t.Parallel()
	p := dial(t, start(t, nil).data)
	p.ask("set safe 0 0 1\r\n1\r\n")
	evil := "delete safe\r\n"
	for _, line := range []string{
		fmt.Sprintf("set k x 0 %d", len(evil)), fmt.Sprintf("set %s 0 0 %d", strings.Repeat("k", 251), len(evil)),
		fmt.Sprintf("cas k 0 0 %d x", len(evil)), fmt.Sprintf("ms k %d Tx", len(evil)), fmt.Sprintf("ms k %d MX", len(evil)),
	} {
		got := p.ask(line + "\r\n" + evil + "\r\n")
		if !strings.HasPrefix(got, "CLIENT_ERROR ") || strings.Count(got, "\n") != 1 {
			t.Errorf("%.20s: %q", line, got)
		}
	}
	if got := p.ask("get safe\r\n"); !strings.HasPrefix(got, "VALUE safe") {
		t.Errorf("data was executed: %q", got)
	}
}

// memcached 1.6.18 sometimes takes a number of 2^63 or more for none, so this is
// not said to both.
func TestNumbersWrap(t *testing.T) {
	t.Parallel()
	p := dial(t, start(t, nil).data)
	if got := p.ask("set n 0 0 20\r\n18446744073709551615\r\nincr n 2\r\nget n\r\n"); got != "STORED\r\n1\r\nVALUE n 0 20\r\n1                   \r\nEND\r\n" {
		t.Errorf("%q", got)
	}
}

// unstarted is a server that nobody serves yet.
func unstarted(cfg Config) *server {
	return newServer(cfg, newStore(1<<20, 1<<20, time.Now), prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
}

func TestAStrangerIsDenied(t *testing.T) {
	t.Parallel()
	for protected, want := range map[process.Switch]string{
		true: "ERROR only loopback may connect while MEMCACHED_PROTECTED is on: there is no password\r\n", false: "MN\r\n",
	} {
		near, far := net.Pipe() // its address is nobody's
		_ = far.SetDeadline(time.Now().Add(10 * time.Second))
		s := unstarted(Config{Protected: protected, MaxClients: 10})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer near.Close()
			s.serve(t.Context(), near)
		}()
		if !protected {
			_, _ = io.WriteString(far, "mn\r\n")
		}
		if line, err := bufio.NewReader(far).ReadString('\n'); line != want || err != nil {
			t.Errorf("protected %v: it reads %q, %v", protected, line, err)
		}
		far.Close()
		<-ended
		if n := testutil.ToFloat64(s.refused.WithLabelValues("protected")); n != map[process.Switch]float64{true: 1}[protected] {
			t.Errorf("protected %v: %v were refused", protected, n)
		}
	}
}

func TestAFailureToAcceptPasses(t *testing.T) {
	t.Parallel()
	s, ln := unstarted(Config{Protected: true, MaxClients: 10}), nettest.FailOnce(t)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	p := dial(t, ln.Addr().String())
	if got := p.ask("get k\r\n"); got != "END\r\n" {
		t.Errorf("%q", got)
	}
	if err := s.Shutdown(t.Context()); err != nil || p.line() != "closed" {
		t.Errorf("it ended with %v, or left a connection", err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestAResetForgetsConnectionsThatWere(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"MEMCACHED_MAX_CLIENTS": "1"})
	p := dial(t, r.data)
	p.ask("")
	dial(t, r.data).line() // is refused
	for _, want := range []string{"total_connections 1", "rejected_connections 1", "curr_connections 1"} {
		if got := p.ask("stats\r\n"); !strings.Contains(got, "STAT "+want+"\r\n") {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	for _, want := range []string{"total_connections 0", "rejected_connections 0", "curr_connections 1"} {
		if got := p.ask("stats reset\r\nstats\r\n"); !strings.Contains(got, "STAT "+want+"\r\n") {
			t.Errorf("after the reset, %s is not in %s", want, got)
		}
	}
	if _, metrics := get(t, "http://"+r.admin+"/metrics"); !strings.Contains(metrics, "memcached_connections_total 1\n") {
		t.Error("the reset reached the metrics")
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	t.Parallel()
	cfg, err := process.Parse[Config](Program, map[string]string{"MEMCACHED_MEMORY": "1KiB", "MEMCACHED_MAX_ITEM": "1B", "MEMCACHED_MAX_CLIENTS": "0"})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(context.Background(), cfg)
	for _, name := range []string{"MEMCACHED_MEMORY", "MEMCACHED_MAX_ITEM", "MEMCACHED_MAX_CLIENTS"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}
