package redis

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	client "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

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
	eventually(t, "the store was full", func() bool {
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

func TestAStrangerIsDenied(t *testing.T) {
	t.Parallel()
	s := &server{cfg: Config{Protected: true, MaxClients: 10}}
	if reason, _ := s.admit(from("192.0.2.7:4711"), 0); reason != "protected" {
		t.Errorf("192.0.2.7 is refused by %q", reason)
	}
	if reason, _ := s.admit(from("127.0.0.1:4711"), 0); reason != "" {
		t.Errorf("loopback is refused by %q", reason)
	}
	s.cfg.Protected = false
	if reason, _ := s.admit(from("192.0.2.7:4711"), 0); reason != "" {
		t.Errorf("with protection off, 192.0.2.7 is refused by %q", reason)
	}
}

// from is a connection from an address.
type from string

func (f from) RemoteAddr() net.Addr {
	addr, _ := net.ResolveTCPAddr("tcp", string(f))
	return addr
}

func (from) Read([]byte) (int, error)         { return 0, io.EOF }
func (from) Write(p []byte) (int, error)      { return len(p), nil }
func (from) Close() error                     { return nil }
func (from) LocalAddr() net.Addr              { return nil }
func (from) SetDeadline(time.Time) error      { return nil }
func (from) SetReadDeadline(time.Time) error  { return nil }
func (from) SetWriteDeadline(time.Time) error { return nil }

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
