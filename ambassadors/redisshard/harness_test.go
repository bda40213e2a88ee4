package redisshard

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ambassador is one that runs.
type ambassador struct {
	addr, admin string
	pools       map[string]net.Addr // beside the first
	stop        func() error        // ends it, and waits
}

// start runs an ambassador with parameters until the test ends.
func start(t *testing.T, env map[string]string) *ambassador {
	t.Helper()
	all := map[string]string{"REDISSHARD_THREADS": "0", "REDISSHARD_TIMEOUT": "20s"}
	maps.Copy(all, env)
	cfg := processtest.Parse[Config](t, Program, all)
	pools := make(chan map[string]net.Addr, 1)
	cfg.OnPools = func(addrs map[string]net.Addr) { pools <- addrs }
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	a := &ambassador{addr: running.Data, admin: "http://" + running.Admin, stop: running.Stop}
	select {
	case a.pools = <-pools:
	case <-running.Ended:
		t.Fatalf("it ended: %v", running.Wait())
	}
	return a
}

// embedded starts n servers and returns them with their addresses, comma-separated.
func embedded(t *testing.T, n int) ([]*miniredis.Miniredis, string) {
	t.Helper()
	var servers []*miniredis.Miniredis
	var addrs []string
	for range n {
		m := miniredis.NewMiniRedis()
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		servers, addrs = append(servers, m), append(addrs, m.Addr())
	}
	return servers, strings.Join(addrs, ",")
}

// named is REDISSHARD_SERVERS of servers called s0, s1, …, so that placement
// does not depend on ports.
func named(addrs ...string) string {
	for i := range addrs {
		addrs[i] = fmt.Sprintf("%s:1 s%d", addrs[i], i)
	}
	return strings.Join(addrs, ",")
}

// keyOf are keys of s0, s1 and s2 of three servers under the hash murmur.
func keyOf(t *testing.T, shard int, n int) string {
	t.Helper()
	cfg := Config{Servers: named("a:1", "b:1", "c:1"), Hash: "murmur", Distribution: "ketama", HashTag: "{}"}
	conf, err := cfg.pool()
	if err != nil {
		t.Fatal(err)
	}
	p := placement(t, conf)
	for i := 0; ; i++ {
		key := fmt.Sprintf("key-%d", i)
		if p.Pick([]byte(key)) == shard {
			if n--; n < 0 {
				return key
			}
		}
	}
}

func connect(t *testing.T, addr string, change func(*redis.Options)) *redis.Client {
	t.Helper()
	o := &redis.Options{Addr: addr, MaxRetries: -1, PoolSize: 50}
	if change != nil {
		change(o)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// raw is a client that speaks bytes.
type raw struct {
	*net.TCPConn
	in *bufio.Reader
}

func dial(t *testing.T, addr string) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &raw{conn.(*net.TCPConn), bufio.NewReader(conn)}
}

// send sends commands, each a line of words.
func (r *raw) send(t *testing.T, lines ...string) {
	t.Helper()
	var b []byte
	for _, line := range lines {
		b = resp.AppendCommand(b, strings.Fields(line)...)
	}
	if _, err := r.Write(b); err != nil {
		t.Fatal(err)
	}
}

// expect reads exactly this.
func (r *raw) expect(t *testing.T, want string) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(r.in, got)
	if string(got[:n]) != want {
		t.Fatalf("got %q, %v, want %q", got[:n], err, want)
	}
}

// line reads a line.
func (r *raw) line(t *testing.T) string {
	t.Helper()
	text, err := r.in.ReadString('\n')
	if err != nil {
		t.Fatalf("got %q, %v", text, err)
	}
	return strings.TrimSpace(text)
}

// end expects the end of the connection.
func (r *raw) end(t *testing.T) {
	t.Helper()
	if rest, err := io.ReadAll(r.in); err != nil || len(rest) > 0 {
		t.Fatalf("got %q, %v, want the end", rest, err)
	}
}

// fake is a server that does what it is told with every command.
type fake struct {
	addr    string
	handle  func(conn net.Conn, words []string) // writes the reply, or does not
	mu      sync.Mutex
	conns   map[net.Conn]bool
	ln      net.Listener
	wg      sync.WaitGroup
	old     bool          // it knows no HELLO
	release chan struct{} // closed at the end of the test
}

func newFake(t *testing.T, handle func(conn net.Conn, words []string)) *fake {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{addr: ln.Addr().String(), handle: handle, conns: map[net.Conn]bool{}, ln: ln, release: make(chan struct{})}
	f.wg.Go(f.accept)
	t.Cleanup(func() {
		close(f.release)
		ln.Close()
		f.mu.Lock()
		for conn := range f.conns {
			conn.Close()
		}
		f.mu.Unlock()
		f.wg.Wait()
	})
	return f
}

func (f *fake) accept() {
	for {
		conn, err := f.ln.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns[conn] = true
		f.mu.Unlock()
		f.wg.Go(func() { f.serve(conn) })
	}
}

// serve greets as Redis does, and leaves the rest to the test.
func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	in := resp.NewCommands(1 << 30)
	for {
		for cmd, ok, err := in.Next(); ok || err != nil; cmd, ok, err = in.Next() {
			if err != nil {
				return
			}
			var words []string
			for _, arg := range cmd.Args {
				words = append(words, string(arg))
			}
			switch words[0] {
			case "CLIENT", "SELECT", "AUTH":
				_, _ = io.WriteString(conn, "+OK\r\n")
			case "PING":
				_, _ = io.WriteString(conn, "+PONG\r\n")
			case "HELLO":
				if f.old {
					_, _ = io.WriteString(conn, "-ERR unknown command 'HELLO'\r\n")
					continue
				}
				_, _ = io.WriteString(conn, "%1\r\n+proto\r\n:3\r\n")
			default:
				f.handle(conn, words)
			}
		}
		if _, err := in.Fill(conn); err != nil {
			return
		}
	}
}

// count is how many connections were opened so far.
func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns)
}

// get reads a path of the administration listener.
func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// metric is the value of a line of /metrics that begins so, "" without.
func (a *ambassador) metric(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(get(t, a.admin+"/metrics")) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(t.TempDir(), name)
	}
	if err := atomicfile.Write(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
