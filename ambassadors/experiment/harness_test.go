package experiment

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test.
const patience = 20 * time.Second

// origin is a service that a test tells what to do.
type origin struct {
	*httptest.Server
	mu       sync.Mutex // guards both below
	requests []*http.Request
	bodies   []string
}

// serve starts an origin that answers with its name, or as handle says.
func serve(t testing.TB, name string, handle http.HandlerFunc) *origin {
	t.Helper()
	o := &origin{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		o.mu.Lock()
		o.requests, o.bodies = append(o.requests, r), append(o.bodies, string(body))
		o.mu.Unlock()
		if handle != nil {
			handle(w, r)
			return
		}
		_, _ = io.WriteString(w, name)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *origin) addr() string { return o.Listener.Addr().String() }

func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.requests)
}

func (o *origin) last() (*http.Request, string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.requests) == 0 {
		return nil, ""
	}
	return o.requests[len(o.requests)-1], o.bodies[len(o.bodies)-1]
}

// world is the program with a file of experiments.
type world struct {
	*processtest.Running
	t    testing.TB
	file string
}

// start runs the program before production. The file may refer to arms as its text says.
func start(t testing.TB, production, file string, env map[string]string) *world {
	t.Helper()
	w := &world{t: t, file: filepath.Join(t.TempDir(), "experiments.yaml")}
	if file != "" {
		w.write(file)
	}
	all := map[string]string{"EXPERIMENT_PRODUCTION": production, "EXPERIMENT_CONFIG_FILE": w.file, "EXPERIMENT_WAIT": "0s", "EXPERIMENT_COOKIE": "experiment", "EJECT_AFTER": "0"}
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
	if err := atomicfile.Write(w.file, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// get asks as a user.
func (w *world) get(path, user string, header ...string) (*http.Response, string) {
	w.t.Helper()
	if user != "" {
		header = append(header, "Cookie", "experiment="+user)
	}
	return processtest.Get(w.t, "http://"+w.Data+path, header...)
}

func (w *world) post(path, user, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	return processtest.Do(w.t, http.DefaultClient, http.MethodPost, "http://"+w.Data+path, body, append(header, "Cookie", "experiment="+user)...)
}

func (w *world) report() Report {
	w.t.Helper()
	_, body := processtest.Get(w.t, "http://"+w.Admin+"/v1/experiments")
	var r Report
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		w.t.Fatalf("%v in %s", err, body)
	}
	return r
}

// until waits for a report that is as told.
func (w *world) until(what string, is func(Report) bool) Report {
	w.t.Helper()
	var r Report
	await.Seen(w.t, what, func() (any, bool) {
		r = w.report()
		return r, is(r)
	})
	return r
}

// user returns a cookie of somebody who is below a share of a layer, or above it.
func user(layer string, below bool, slots int) string {
	for n := 0; ; n++ {
		id := strings.Repeat("A", 26-4) + strings.NewReplacer("0", "A", "1", "B", "8", "C", "9", "D").Replace(fmt.Sprintf("%04d", n))
		if (plan.Slot(layer, id) < slots) == below {
			return id
		}
	}
}

// next is a file with one experiment for half of the users.
func next(addr string, more ...string) string {
	return "experiments:\n- {name: next, percent: 50, upstream: '" + addr + "'" + strings.Join(append([]string{""}, more...), ", ") + "}\n"
}

// The users of next.
var (
	inside  = user("next", true, 5000)
	outside = user("next", false, 5000)
)
