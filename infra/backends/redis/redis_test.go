package redis

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	client "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the program as its main would, and stops it with the test.
func start(t *testing.T, environ map[string]string) *processtest.Running {
	t.Helper()
	cfg := processtest.Parse[Config](t, Program, environ)
	return processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
}

func embedded(t *testing.T) string {
	t.Helper()
	return start(t, nil).Data
}

func TestItIsReadyAndCounts(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	c := client.NewClient(&client.Options{Addr: r.Data})
	defer c.Close()
	if err := c.Ping(deadline(t)).Err(); err != nil {
		t.Fatal(err)
	}
	if resp, body := processtest.Get(t, "http://"+r.Admin+"/readyz"); resp.StatusCode != http.StatusOK {
		t.Errorf("not ready: %s", body)
	}
	if _, body := processtest.Get(t, "http://"+r.Admin+"/metrics"); !strings.Contains(body, "redis_connected_clients 1") {
		t.Error("the client is not counted")
	}
}

func TestAFullStoreRefusesWritesAndServesReads(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"REDIS_MAX_MEMORY": "16MiB"})
	c := client.NewClient(&client.Options{Addr: r.Data})
	defer c.Close()
	ctx := deadline(t)
	value := strings.Repeat("x", 1<<20)
	keys := 0
	await.That(t, "the store was full", func() bool {
		keys++
		err := c.Set(ctx, time.Duration(keys).String(), value, 0).Err()
		return err != nil && strings.HasPrefix(err.Error(), "OOM ")
	})
	if got := c.Get(ctx, time.Duration(1).String()).Val(); got != value {
		t.Error("a read is refused")
	}
	if err := c.FlushAll(ctx).Err(); err != nil {
		t.Errorf("room cannot be made: %v", err)
	}
}

func TestTooManyClientsAreToldSo(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"REDIS_MAX_CLIENTS": "1"})
	c := client.NewClient(&client.Options{Addr: r.Data, PoolSize: 1})
	defer c.Close()
	if err := c.Ping(deadline(t)).Err(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", r.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := io.ReadAll(conn)
	if err != nil || string(answer) != "-ERR max number of clients reached\r\n" {
		t.Errorf("the second client reads %q, %v", answer, err)
	}
}

// unstarted is a server that nobody serves yet.
func unstarted(t *testing.T, cfg Config) *server {
	t.Helper()
	cfg.MaxClients, cfg.MaxCommand, cfg.MaxMemory = 10, 1<<20, 1<<30
	s, err := newServer(cfg, miniredis.NewMiniRedis(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	return s
}

func TestAStrangerIsDenied(t *testing.T) {
	t.Parallel()
	for protected, want := range map[process.Switch]string{
		true: "-DENIED only loopback may connect while REDIS_PROTECTED is on: there is no password\r\n", false: "+PONG\r\n",
	} {
		near, far := net.Pipe() // its address is nobody's
		_ = far.SetDeadline(time.Now().Add(10 * time.Second))
		s := unstarted(t, Config{Protected: protected})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer near.Close()
			s.serve(t.Context(), near)
		}()
		if !protected {
			_, _ = io.WriteString(far, "*1\r\n$4\r\nPING\r\n")
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
	s, ln := unstarted(t, Config{Protected: true}), nettest.FailOnce(t)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	c := client.NewClient(&client.Options{Addr: ln.Addr().String(), MaxRetries: -1})
	defer c.Close()
	if err := c.Ping(deadline(t)).Err(); err != nil {
		t.Error(err)
	}
	before, blocked := s.store.Server().TotalCommands(), make(chan error, 1)
	go func() { blocked <- c.BLPop(deadline(t), 0, "none").Err() }()
	await.That(t, "a client blocks", func() bool { return s.store.Server().TotalCommands() > before })
	if err := s.Shutdown(deadline(t)); err != nil {
		t.Error(err)
	}
	if err := <-blocked; err == nil {
		t.Error("a client blocks for ever")
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	t.Parallel()
	cfg, err := process.Parse[Config](Program, map[string]string{
		"REDIS_TICK": "2s", "REDIS_MAX_CLIENTS": "0", "REDIS_MAX_COMMAND": "1B", "REDIS_MAX_MEMORY": "1KiB",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(context.Background(), cfg)
	for _, name := range []string{"REDIS_TICK", "REDIS_MAX_CLIENTS", "REDIS_MAX_COMMAND", "REDIS_MAX_MEMORY"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}
