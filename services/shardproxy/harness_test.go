package shardproxy

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test.
const patience = 20 * time.Second

// A replica answers with its name, or as handle says, and is ready or not as the test says.
type replica struct {
	name        string
	data, admin *httptest.Server
	status      atomic.Int64 // of its readiness
	asked       atomic.Int64
	checked     atomic.Int64
}

func newReplica(t testing.TB, name string, handle http.HandlerFunc) *replica {
	t.Helper()
	r := &replica{name: name}
	r.status.Store(200)
	r.data = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.asked.Add(1)
		w.Header().Set("X-From", name)
		if handle != nil {
			handle(w, q)
			return
		}
		_, _ = io.WriteString(w, name)
	}))
	r.admin = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.checked.Add(1)
		w.WriteHeader(int(r.status.Load()))
	}))
	t.Cleanup(func() { r.data.CloseClientConnections(); r.data.Close(); r.admin.Close() })
	return r
}

// addr is how a layout writes it: with the port of its administration.
func (r *replica) addr() string {
	_, port, _ := net.SplitHostPort(r.admin.Listener.Addr().String())
	return r.bare() + "/" + port
}

// bare is without: health is what its answers tell.
func (r *replica) bare() string { return r.data.Listener.Addr().String() }

// die refuses connections and breaks those that are open.
func (r *replica) die() {
	_ = r.data.Listener.Close()
	r.data.CloseClientConnections()
	r.admin.Close()
}

// entry writes a shard of a layout.
func entry(name string, replicas ...string) string {
	return fmt.Sprintf("- {name: %q, replicas: %q}\n", name, strings.Join(replicas, ","))
}

// world is the program with a file of shards.
type world struct {
	*processtest.Running
	t    testing.TB
	file string
}

// start runs the program, and returns when it is ready.
func start(t testing.TB, text string, env map[string]string) *world {
	t.Helper()
	w := begin(t, text, env)
	w.eventually("ready", func() bool {
		resp, err := http.Get("http://" + w.Admin + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == 200
	})
	return w
}

// begin runs the program.
func begin(t testing.TB, text string, env map[string]string) *world {
	t.Helper()
	w := &world{t: t, file: filepath.Join(t.TempDir(), "shards.yaml")}
	w.write(text)
	all := map[string]string{"SHARDPROXY_CONFIG_FILE": w.file, "SHARDPROXY_SHARD_FIELD": "X-Shard", "CHECK_INTERVAL": "20ms",
		"CHECK_UP": "1", "CHECK_TIMEOUT": "10s", "SHARDPROXY_FIRST_REPLICAS": "10s"}
	for name, value := range env {
		all[name] = value
	}
	cfg := processtest.Parse[Config](t, Program, all)
	w.Running = processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return w
}

// write replaces the file as a sidecar does.
func (w *world) write(text string) {
	w.t.Helper()
	if !strings.Contains(text, "shards:") {
		text = "shards:\n" + text
	}
	if err := atomicfile.Write(w.file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// eventually polls until something is so.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-w.t.Context().Done():
		}
	}
}

func (w *world) get(path string, header ...string) (*http.Response, string) {
	w.t.Helper()
	return processtest.Get(w.t, "http://"+w.Data+path, header...)
}

// from is who answered a request.
func (w *world) from(path string, header ...string) string {
	w.t.Helper()
	resp, body := w.get(path, header...)
	if resp.StatusCode != 200 {
		w.t.Fatalf("GET %s: %d %s", path, resp.StatusCode, body)
	}
	return resp.Header.Get("X-From")
}

// shards is what the administration says of them.
func (w *world) shards() []shardReport {
	w.t.Helper()
	var all []shardReport
	w.admin(http.MethodGet, "/v1/shards", "", 200, &all)
	return all
}

func (w *world) shard(name string) shardReport {
	w.t.Helper()
	for _, s := range w.shards() {
		if s.Name == name {
			return s
		}
	}
	w.t.Fatalf("there is no shard %s", name)
	return shardReport{}
}

// admin asks the administration and reads its JSON.
func (w *world) admin(method, path, body string, status int, into any, header ...string) {
	w.t.Helper()
	resp, text := processtest.Do(w.t, http.DefaultClient, method, "http://"+w.Admin+path, body, header...)
	if resp.StatusCode != status {
		w.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

// say sends bytes over a connection of their own, half-closes it, and returns what comes back.
func (w *world) say(text string) string {
	w.t.Helper()
	conn := w.dial()
	_, _ = io.WriteString(conn, text) // the answer tells
	_ = conn.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func (w *world) dial() net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// answerTo reads one answer from a connection.
func answerTo(t testing.TB, in *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// place is the placement of a text, for what a test expects.
func place(t testing.TB, text string) *layout.Placement {
	t.Helper()
	l, err := layout.Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Place()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pathOf returns a path whose shard is the one with that name.
func pathOf(t testing.TB, text, name string) string {
	t.Helper()
	p := place(t, "shards:\n"+text)
	for i := range 10_000 {
		path := fmt.Sprintf("/path/%d", i)
		if p.Shards[p.Home(layout.Of([]byte(path)))].Name == name {
			return path
		}
	}
	t.Fatalf("no path belongs to %s", name)
	return ""
}

// waitFor returns when the test says so, or whoever asked is gone.
func waitFor(goOn <-chan struct{}, r *http.Request) {
	select {
	case <-goOn:
	case <-r.Context().Done():
	}
}
