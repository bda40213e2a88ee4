package hotshards

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/hotshards/decide"
	"github.com/flotilla-dev/flotilla/services/hotshards/loads"
	"github.com/flotilla-dev/flotilla/services/hotshards/loads/loadstest"
	"github.com/flotilla-dev/flotilla/services/hotshards/replicas"
	"github.com/flotilla-dev/flotilla/services/hotshards/replicas/replicatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for.
const patience = 20 * time.Second

// threeShards is a file of them, each with a home at file:/ and its name.
const threeShards = `
shards:
- {name: a, service: cache-a, replicas: "file:/a", min: 2, max: 8}
- {name: b, service: cache-b, replicas: "file:/b", min: 2, max: 8}
- {name: c, service: cache-c, replicas: "file:/c", min: 2, max: 8}
`

// A harness is a controller between two proxies and a runner, which speak over real sockets. Its clock and its
// looks are the test's.
type harness struct {
	*controller
	t       *testing.T
	proxies []*loadstest.Proxy
	runner  *replicatest.Runner
	clock   time.Time
}

func defaults(t *testing.T, env map[string]string) Config {
	t.Helper()
	dir := t.TempDir()
	file, token := filepath.Join(dir, "shards.yaml"), filepath.Join(dir, "token")
	for path, text := range map[string]string{file: threeShards, token: loadstest.Token} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	values := map[string]string{
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "DRAIN_DELAY": "0s", "LOG_LEVEL": "ERROR",
		"HOTSHARDS_CONFIG_FILE": file, "HOTSHARDS_PROXY_TOKEN_FILE": token, "HOTSHARDS_PROXIES": "127.0.0.1:1/1", "HOTSHARDS_ORCHESTRATOR": "local",
		"HOTSHARDS_RUNNER_SOCKET": "/none", "HOTSHARDS_HOT_LOOKS": "2", "HOTSHARDS_COLD_LOOKS": "4", "HOTSHARDS_GROW_REST": "3s", "HOTSHARDS_COOL_REST": "6s",
		"HOTSHARDS_FLOOR": "10", "HOTSHARDS_TIMEOUT": "10s",
	}
	for name, value := range env {
		values[name] = value
	}
	return parse(t, values)
}

func start(t *testing.T, env map[string]string) *harness {
	t.Helper()
	h := &harness{t: t, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), runner: replicatest.StartRunner(t)}
	var addrs []string
	for range 2 {
		p := loadstest.Start(t, loadstest.Shard{Name: "a", Replicas: "file:/a", Rate: 100}, loadstest.Shard{Name: "b", Replicas: "file:/b", Rate: 100}, loadstest.Shard{Name: "c", Replicas: "file:/c", Rate: 100})
		h.proxies, addrs = append(h.proxies, p), append(addrs, p.Addr)
	}
	for _, service := range []string{"cache-a", "cache-b", "cache-c"} {
		h.runner.Set(service, 2, 2)
	}
	cfg := defaults(t, env)
	shards, err := parseFile([]byte(threeShards), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.controller = &controller{
		cfg: &cfg, shards: shards, history: &history{most: cfg.History}, metrics: newMetrics(prometheus.NewRegistry(), cfg.Budget),
		log: slog.New(slog.NewTextHandler(io.Discard, nil)), now: func() time.Time { return h.clock },
		proxies: &loads.Proxies{
			Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, TokenFile: cfg.TokenFile, Timeout: patience, ChangeTimeout: patience,
			Members: func() ([]string, error) { return addrs, nil },
		},
		orchestrator: replicas.NewRunner(h.runner.Socket, patience, patience),
	}
	h.restart()
	return h
}

// restart makes the controller what it is after a restart of its process.
func (h *harness) restart() {
	h.controller.judge, h.controller.acting, h.controller.told, h.controller.shown = decide.New(h.cfg.policy(), h.clock), nil, nil, shown{}
	h.controller.failed = time.Time{}
}

// rate sets the load of a shard, half of it at each proxy.
func (h *harness) rate(name string, rate float64) {
	for _, p := range h.proxies {
		p.Change(name, func(s *loadstest.Shard) { s.Rate = rate / 2 })
	}
}

// step lets a second pass and looks; a change that is begun ends before the next look.
func (h *harness) step(n int) {
	h.t.Helper()
	for range n {
		h.clock = h.clock.Add(time.Second)
		h.controller.look(h.t.Context())
		h.finish()
	}
}

// finish waits for the change that is being made.
func (h *harness) finish() {
	h.t.Helper()
	if h.acting == nil {
		return
	}
	select {
	case err := <-h.acting.end:
		h.acting.end <- err // for the next look
	case <-time.After(patience):
		h.t.Fatal("the change does not end")
	}
}

// became lists the decisions and what became of them, the oldest first.
func (h *harness) became() []string {
	var list []string
	for _, r := range h.history.newest(1000) {
		list = append([]string{r.What + ": " + r.Outcome}, list...)
	}
	return list
}

func (h *harness) want(became ...string) {
	h.t.Helper()
	if got := h.became(); strings.Join(got, "\n") != strings.Join(became, "\n") {
		h.t.Errorf("decisions:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(became, "\n"))
	}
}

func (h *harness) wantReplicas(service string, n int) {
	h.t.Helper()
	if want, _ := h.runner.Get(service); want != n {
		h.t.Errorf("%s has %d replicas, want %d", service, want, n)
	}
}

func (h *harness) wantPlace(name, replicas string) {
	h.t.Helper()
	for i, p := range h.proxies {
		if got := p.Place(name); got != replicas {
			h.t.Errorf("proxy %d has shard %s at %s, want %s", i, name, got, replicas)
		}
	}
}
