package memcached

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/internal/tcpserve"
)

// version is the memcached whose protocol this is.
const version = "1.6.18"

// stats counts what happens to the store; its lock guards them.
type stats struct {
	getHits, getMisses, expired uint64
	sets, stored, tooLarge      uint64
	touchHits, touchMisses      uint64
	deleteHits, deleteMisses    uint64
	incrHits, incrMisses        uint64
	decrHits, decrMisses        uint64
	casHits, casBad, casMisses  uint64
	meta, flushes, evictions    uint64
	accepted, refused           uint64 // connections before the last reset
	conns                       *tcpserve.Server
	maxClients                  int
	started                     time.Time
}

func pick(hit bool, hits, misses *uint64) {
	if !hit {
		hits = misses
	}
	*hits++
}

func (s *stats) got(hit bool)     { pick(hit, &s.getHits, &s.getMisses) }
func (s *stats) touched(hit bool) { pick(hit, &s.touchHits, &s.touchMisses) }

func (s *stats) counted(decrement, hit bool) {
	if decrement {
		pick(hit, &s.decrHits, &s.decrMisses)
		return
	}
	pick(hit, &s.incrHits, &s.incrMisses)
}

// reset forgets what was counted, not what is.
func (s *stats) reset() {
	*s = stats{conns: s.conns, maxClients: s.maxClients, started: s.started, accepted: s.conns.Accepted(), refused: s.conns.Refused()}
}

// showStats answers stats, stats settings and stats reset.
func (c *session) showStats(args [][]byte) {
	s := c.store
	s.Lock()
	defer s.Unlock()
	switch {
	case len(args) == 0:
		c.general()
	case string(args[0]) == "settings":
		c.stat("maxbytes", s.limit)
		c.stat("maxconns", int64(s.stats.maxClients))
		c.stat("item_size_max", int64(s.maxItem))
		c.statText("evictions", "on")
		c.statText("cas_enabled", "yes")
		c.statText("binding_protocol", "ascii")
	case string(args[0]) == "reset":
		s.stats.reset()
		c.say("RESET")
		return
	default:
		c.say(unknown)
		return
	}
	c.say("END")
}

func (c *session) general() {
	s, now := c.store, c.store.now()
	s.passTime(now)
	t := &s.stats
	c.stat("pid", int64(os.Getpid()))
	c.stat("uptime", int64(now.Sub(t.started)/time.Second))
	c.stat("time", now.Unix())
	c.statText("version", version)
	c.statText("server", "flotilla-embedded")
	c.stat("pointer_size", strconv.IntSize)
	c.stat("max_connections", int64(t.maxClients))
	c.stat("curr_connections", int64(t.conns.Open()))
	for _, counter := range []struct {
		name string
		n    uint64
	}{
		{"total_connections", t.conns.Accepted() - t.accepted}, {"rejected_connections", t.conns.Refused() - t.refused},
		{"cmd_get", t.getHits + t.getMisses}, {"cmd_set", t.sets}, {"cmd_flush", t.flushes},
		{"cmd_touch", t.touchHits + t.touchMisses}, {"cmd_meta", t.meta},
		{"get_hits", t.getHits}, {"get_misses", t.getMisses}, {"get_expired", t.expired},
		{"delete_misses", t.deleteMisses}, {"delete_hits", t.deleteHits},
		{"incr_misses", t.incrMisses}, {"incr_hits", t.incrHits}, {"decr_misses", t.decrMisses}, {"decr_hits", t.decrHits},
		{"cas_misses", t.casMisses}, {"cas_hits", t.casHits}, {"cas_badval", t.casBad},
		{"touch_hits", t.touchHits}, {"touch_misses", t.touchMisses}, {"store_too_large", t.tooLarge},
		{"total_items", t.stored}, {"evictions", t.evictions},
	} {
		c.stat(counter.name, int64(counter.n))
	}
	c.stat("limit_maxbytes", s.limit)
	c.stat("bytes", s.bytes)
	c.stat("curr_items", int64(len(s.items)))
	c.stat("threads", 1)
}

func (c *session) stat(name string, n int64)   { c.say(fmt.Sprintf("STAT %s %d", name, n)) }
func (c *session) statText(name, value string) { c.say("STAT " + name + " " + value) }
