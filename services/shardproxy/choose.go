package shardproxy

import (
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

// A tried remembers the shards that one request was sent to in vain.
type tried struct {
	n    int
	them [maxTried]int
}

// maxTried bounds how many shards stand in for one request.
const maxTried = 3

func (t *tried) has(at int) bool {
	for _, one := range t.them[:t.n] {
		if one == at {
			return true
		}
	}
	return false
}

func (t *tried) add(at int) {
	t.them[t.n] = at
	t.n++
}

func (t *tried) full() bool { return t.n == maxTried }

// takes tells whether a shard is to get a new request.
func (p *proxy) takes(t *table, at int, failed *tried) bool {
	if t.Shards[at].Draining {
		return false
	}
	return p.cfg.Loss == Fail || !t.shards[at].lost() && !failed.has(at)
}

// choose returns the shard that serves a key now, or -1.
func (p *proxy) choose(t *table, h layout.Hash, failed *tried) int {
	at := p.chooseAmong(t, h, failed)
	if at < 0 && failed.n == 0 {
		// That a shard could not be reached is a guess about the next time, and when nothing
		// else is left it is worth a try. What checks say is none.
		at = t.First(h, func(at int) bool { return !t.Shards[at].Draining && !t.shards[at].down() })
	}
	return at
}

func (p *proxy) chooseAmong(t *table, h layout.Hash, failed *tried) int {
	if !t.Bounds() {
		if owner := t.Owner(h); owner >= 0 && p.takes(t, owner, failed) {
			return owner // as nearly always, without the cost of a closure
		}
		return t.First(h, func(at int) bool { return p.takes(t, at, failed) })
	}
	load := func(at int) int64 { return t.shards[at].load.inFlight.Load() }
	return t.FirstBelow(h, p.inFlight.Load(), load, func(at int) bool { return p.takes(t, at, failed) })
}

// A whereabouts is where a key belongs, and why.
type whereabouts struct {
	Key      string    `json:"key"`
	CRC32    uint32    `json:"crc32"`
	XXH64    string    `json:"xxh64"`
	Function string    `json:"function"`
	Owner    string    `json:"owner"`
	Shard    *string   `json:"shard"` // null: nobody can serve it now
	Why      string    `json:"why"`
	Session  *belongs  `json:"session,omitempty"` // where the key was made for one
	Order    []inOrder `json:"order"`
}

// inOrder is a shard in the order of a key.
type inOrder struct {
	Shard string `json:"shard"`
	Takes bool   `json:"takes"`
	Why   string `json:"why,omitempty"`
}

// belongs is the context of a session by which a key was made.
type belongs struct {
	ID      string  `json:"id"`
	Context string  `json:"context"` // "": it has none
	Origin  string  `json:"origin"`  // found, none, joined, cached or stale
	Age     float64 `json:"age_seconds"`
}

// locate explains the place of a key.
func (p *proxy) locate(t *table, key []byte) whereabouts {
	h := layout.Of(key)
	w := whereabouts{Key: string(key), CRC32: h.CRC32, XXH64: hex64(h.XXH64), Function: t.Function}
	var none tried
	for _, at := range t.Order(h) {
		one := inOrder{Shard: t.Shards[at].Name, Takes: p.takes(t, at, &none)}
		switch {
		case t.Shards[at].Draining:
			one.Why = "it drains"
		case t.shards[at].down():
			one.Why = "none of its replicas can be used"
		case t.shards[at].open():
			one.Why = "it could not be reached lately"
		}
		w.Order = append(w.Order, one)
	}
	w.Owner = w.Order[0].Shard
	at := p.choose(t, h, &none)
	switch {
	case at < 0:
		w.Why = "no shard can take it"
		return w
	case t.Shards[at].Name == w.Owner:
		w.Why = "it is the first in the order of the key"
	case w.Order[0].Takes:
		w.Why = "the load of " + w.Owner + " is at its bound"
	default:
		w.Why = "it stands in for " + w.Owner + ": " + w.Order[0].Why
	}
	w.Shard = &t.Shards[at].Name
	return w
}
