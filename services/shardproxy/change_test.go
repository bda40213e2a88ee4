package shardproxy

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/shardproxy/recent"
)

// Two operators, of whom the second has not seen what the first does: his plan was made for
// another layout.
func TestAChangeThatWasPlannedForAnotherLayoutIsRefused(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", nil)
	w := start(t, entry("a", a.addr()), nil)
	whole := "shards:\n" + entry("a", a.addr())
	first := make(chan *http.Response, 1)
	go func() { // it takes a while, because the new shard has no replica
		resp, err := http.Post("http://"+w.Admin+"/v1/plan?apply=true", "application/yaml", strings.NewReader(whole+entry("slow", "file:/nowhere/replicas")))
		if err != nil {
			t.Error(err)
		} else {
			_ = resp.Body.Close()
		}
		first <- resp
	}()
	w.eventually("the first is under way", func() bool {
		_, metrics := processtest.Get(t, "http://"+w.Admin+"/metrics")
		return strings.Contains(metrics, `upstream="slow"`)
	})
	w.admin(http.MethodPost, "/v1/plan?apply=true", whole, 412, nil)
	if resp := <-first; resp == nil || resp.StatusCode != 200 || len(w.shards()) != 2 {
		t.Errorf("the first: %v", resp)
	}
}

// A request that has taken a table just before another one came finds that its shard has
// left, and goes where the new table says.
func TestARequestWhoseShardHasLeftGoesByTheNewTable(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", nil)
	p := bare(t, "file:/nowhere/replicas")
	old := p.table.Load()
	if err := p.first([]byte("shards:\n" + entry("a", a.bare()))); err != nil {
		t.Fatal(err)
	}
	next := p.table.Load()
	p.table.Store(old)
	// The sample asks for the time after the request has its table.
	p.recent = recent.New(16, time.Hour, func() time.Time { p.table.Store(next); return time.Now() })
	if status, body := askOnce(t, p); status != 200 || body != "a" {
		t.Errorf("%d %s", status, body)
	}
	// And where there is no new table, that is the end of it.
	next = old
	p.table.Store(old)
	if status, body := askOnce(t, p); status != 503 || !strings.Contains(body, "no-replica") {
		t.Errorf("%d %s", status, body)
	}
}

func TestNoChangeBeginsWhileTheProcessEnds(t *testing.T) {
	t.Parallel()
	p := bare(t, "127.0.0.1:1")
	before := p.table.Load()
	run, cancel := context.WithCancel(context.Background())
	cancel()
	running := p.run
	p.run = run
	if err := p.first([]byte("shards:\n" + entry("b", "127.0.0.1:1"))); err != errEnding || p.table.Load() != before {
		t.Error(err)
	}
	p.run = running
}

// bare is a proxy without a process around it, with one shard, a.
func bare(t *testing.T, replicas string) *proxy {
	t.Helper()
	cfg := processtest.Parse[Config](t, Program, map[string]string{"SHARDPROXY_CONFIG_FILE": "none", "CHECK_INTERVAL": "0s"})
	roots, err := certs.OpenRoots("")
	if err != nil {
		t.Fatal(err)
	}
	run, cancel := context.WithCancel(context.Background())
	calm, stopWaiting := context.WithCancel(run)
	registry := prometheus.NewRegistry()
	p := &proxy{cfg: &cfg, limits: cfg.limits(), log: slog.New(slog.DiscardHandler), registry: registry, metrics: newMetrics(registry),
		guard: guard.New(10, 10), roots: roots, recent: recent.New(16, time.Hour, nil), standIn: cfg.Limits.Budget(), run: run, calm: calm, loads: map[string]*load{}}
	t.Cleanup(func() { p.end(stopWaiting, cancel) })
	if err := p.first([]byte("shards:\n" + entry("a", replicas))); err != nil {
		t.Fatal(err)
	}
	return p
}

// askOnce lets a server of the proxy answer one request.
func askOnce(t *testing.T, p *proxy) (int, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, served := newServer(p), make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != http.ErrServerClosed {
			t.Error(err)
		}
		p.closing.Store(false)
	}()
	req, err := http.NewRequest(http.MethodGet, "http://"+ln.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
