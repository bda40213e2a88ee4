package fleet

import (
	"context"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/infra/local/internal/control"
	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
	"github.com/flotilla-dev/flotilla/infra/local/internal/supervise"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

func TestARealServerStandsInAndIsSupervised(t *testing.T) {
	t.Parallel()
	realserver.Find(t, "redis-server", "no real server stands in here")
	cfg := testConfig(t)
	cfg.Real = true
	cfg.Table[0].Real = &topology.Real{
		Program: "redis-server", Ping: "PING\r\n",
		Args: []string{"--port", `{{port "data"}}`, "--bind", "127.0.0.1", "--save", "", "--dir", `{{private ""}}`},
	}
	h, _ := up(t, cfg)
	before := h.process("base-1")
	if err := supervise.Ping(before.Data, "PING\r\n", "^[+]")(context.Background()); err != nil || before.Admin != "" {
		t.Errorf("%+v: %v", before, err)
	}
	h.mu.Lock()
	said := strings.Join(h.said, "\n")
	h.mu.Unlock()
	if !strings.Contains(said, "base: the real server, ") {
		t.Errorf("what was said:\n%s", said)
	}
	h.must("kill", control.Request{Name: "base", Signal: "KILL"}) // the only one of its service
	h.until("base-1", "back", func(p state.Process) bool { return isReady(p) && p.PID != before.PID })
}
