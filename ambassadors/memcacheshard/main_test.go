package memcacheshard

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/memtest"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is an ambassador of this package.
type running struct {
	data, admin string
	pools       map[string]net.Addr
	stop        func() error
}

// start runs the program as its main would, and stops it with the test.
func start(t *testing.T, environ map[string]string) *running {
	t.Helper()
	env := map[string]string{"MEMCACHESHARD_THREADS": "0"}
	maps.Copy(env, environ)
	cfg := processtest.Parse[Config](t, Program, env)
	pools := make(chan map[string]net.Addr, 1)
	cfg.OnPools = func(addrs map[string]net.Addr) { pools <- addrs }
	p := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	r := &running{data: p.Data, admin: p.Admin, stop: p.Stop}
	select {
	case r.pools = <-pools:
	case <-p.Ended:
		t.Fatalf("it ended: %v", p.Wait())
	}
	return r
}

// before starts an ambassador before servers that are called s0, s1, …
func before(t *testing.T, servers []*memtest.Server, environ map[string]string) *running {
	t.Helper()
	env := map[string]string{"MEMCACHESHARD_SERVERS": named(servers), "MEMCACHESHARD_TIMEOUT": "20s", "MEMCACHESHARD_AUTO_EJECT": "off", "MEMCACHESHARD_HASH": "md5"}
	maps.Copy(env, environ)
	return start(t, env)
}

func named(servers []*memtest.Server) string {
	var list []string
	for i, s := range servers {
		list = append(list, fmt.Sprintf("%s:1 s%d", s.Addr(), i))
	}
	return strings.Join(list, ",")
}

func fakes(t *testing.T, n int) []*memtest.Server {
	t.Helper()
	servers := make([]*memtest.Server, n)
	for i := range servers {
		servers[i] = memtest.Start(t)
	}
	return servers
}

// client sees every byte.
type client struct {
	t *testing.T
	*net.TCPConn
	in *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{t, conn.(*net.TCPConn), bufio.NewReader(conn)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// line reads a line, without its end; a closed connection is "closed".
func (c *client) line() string {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return "closed"
	}
	return strings.TrimSuffix(line, "\r\n")
}

// ask sends commands and then a barrier, and returns the answers before that of
// the barrier.
func (c *client) ask(commands string) string {
	c.t.Helper()
	c.send(commands + "mn\r\n")
	var answer strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return answer.String() + "closed"
		}
		if line == "MN\r\n" {
			return answer.String()
		}
		answer.WriteString(line)
	}
}

func (c *client) expect(commands, want string) {
	c.t.Helper()
	if got := c.ask(commands); got != want {
		c.t.Errorf("%.80q is answered by %.300q, want %.300q", commands, got, want)
	}
}

func get(t *testing.T, url string) string {
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
	return string(body)
}

// keyOf finds a key of a shard by asking the ambassador.
func keyOf(t *testing.T, r *running, shard string, n int) string {
	t.Helper()
	for i := range 10000 {
		key := fmt.Sprintf("key-%d", i)
		if strings.Contains(get(t, "http://"+r.admin+"/shards?key="+key), `"`+shard+`"`) {
			if n == 0 {
				return key
			}
			n--
		}
	}
	t.Fatalf("no key belongs to %s", shard)
	return ""
}
