package redis

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	resp "github.com/alicebob/miniredis/v2/server"
)

// hook sees each command before miniredis does: it refuses what would grow a
// full store, and answers INFO, of which miniredis has two sections only.
type hook struct {
	s *server

	mu      sync.Mutex          // guards queuing
	queuing map[*resp.Peer]bool // clients between MULTI and EXEC
}

func newHook(s *server) *hook { return &hook{s: s, queuing: map[*resp.Peer]bool{}} }

// before returns true when it has answered the command.
func (h *hook) before(c *resp.Peer, command string, args ...string) bool {
	switch command {
	case "MULTI":
		h.begin(c)
	case "EXEC", "DISCARD":
		h.end(c)
	case "INFO":
		if h.isQueuing(c) { // to be answered by EXEC, by miniredis
			return false
		}
		c.WriteBulk(h.s.info(args))
		return true
	}
	if h.s.memory.full() && strings.Contains(adding, " "+command+" ") {
		h.s.refused.WithLabelValues("memory").Inc()
		c.WriteError("OOM command not allowed when used memory > 'maxmemory'.")
		return true
	}
	return false
}

func (h *hook) begin(c *resp.Peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.queuing[c]; !known {
		c.OnDisconnect(func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(h.queuing, c)
		})
	}
	h.queuing[c] = true
}

func (h *hook) end(c *resp.Peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.queuing[c] {
		h.queuing[c] = false // kept, so that OnDisconnect is added once
	}
}

func (h *hook) isQueuing(c *resp.Peer) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.queuing[c]
}

// info answers INFO [section …]; an unknown section is empty, as in Redis.
func (s *server) info(sections []string) string {
	wanted := " " + strings.ToLower(strings.Join(sections, " ")) + " "
	all := len(sections) == 0 || strings.Contains(wanted, " all ") || strings.Contains(wanted, " default ") || strings.Contains(wanted, " everything ")
	core := s.store.Server()
	uptime := int(time.Since(s.started).Seconds())
	var out strings.Builder
	section := func(name string, lines ...string) {
		if all || strings.Contains(wanted, " "+strings.ToLower(name)+" ") {
			fmt.Fprintf(&out, "# %s\r\n%s\r\n\r\n", name, strings.Join(lines, "\r\n"))
		}
	}
	section("Server", "redis_version:7.0.0", "redis_mode:standalone", "server_name:flotilla-embedded", "process_id:"+fmt.Sprint(os.Getpid()),
		"uptime_in_seconds:"+fmt.Sprint(uptime), "uptime_in_days:"+fmt.Sprint(uptime/86400))
	section("Clients", "connected_clients:"+fmt.Sprint(core.ClientsLen()), "maxclients:"+fmt.Sprint(s.cfg.MaxClients))
	section("Memory", "used_memory:"+fmt.Sprint(s.memory.used()), "maxmemory:"+fmt.Sprint(int64(s.cfg.MaxMemory)), "maxmemory_policy:noeviction")
	section("Persistence", "loading:0", "rdb_bgsave_in_progress:0", "aof_enabled:0")
	section("Stats", "total_connections_received:"+fmt.Sprint(core.TotalConnections()), "total_commands_processed:"+fmt.Sprint(core.TotalCommands()))
	section("Replication", "role:master", "connected_slaves:0")
	return strings.TrimSuffix(out.String(), "\r\n")
}
