package experiments

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// The experiment of the book's figure: ten caches of size s, and data of 20 s.
const (
	cachesOf = 10
	dataOf   = 20
)

// holding is one way to use the ten caches.
type holding struct {
	hitRate  float64
	each     float64 // share of the data that a cache holds, on average
	together float64 // share of the data that at least one cache holds
}

// claimHeld claims the book's figures.
func claimHeld(r *proof.Report, alike, sharded holding) error {
	r.Claim(proof.Within("filled alike: share of the data that a cache holds, and so a request finds", alike.each*100, 100.0/dataOf, 0.1, "%"))
	r.Claim(proof.Within("filled alike: hit rate", alike.hitRate*100, 100.0/dataOf, 0.1, "%"))
	r.Claim(proof.Within("sharded: share of the data that the caches hold", sharded.together*100, 100.0*cachesOf/dataOf, 0.05, "%"))
	r.Claim(proof.Within("sharded: hit rate", sharded.hitRate*100, 100.0*cachesOf/dataOf, 0.05, "%"))
	row := func(name string, h holding) []string {
		return []string{name, percent(h.each), percent(h.together), percent(h.hitRate)}
	}
	r.Table(proof.Table{Title: "Ten caches of size s, data of 20 s", Columns: []string{"", "a cache holds", "all hold together", "hit rate"},
		Rows: [][]string{row("filled alike (replicated)", alike), row("sharded", sharded)}})
	r.Note("All keys are asked for equally often; ten caches that each keep a twentieth of their own choice hold %s together, of which a request to any one of them finds a twentieth.", percent(1-math.Pow(1-1.0/dataOf, cachesOf)))
	return r.Chart("held", chart.Bars{Title: "Hit rate of ten caches of size s, data of 20 s", Note: "dashed: by arithmetic", Unit: "%", Rows: []chart.Row{
		{Label: "filled alike", Value: alike.hitRate * 100, Target: 100.0 / dataOf, Series: 1},
		{Label: "sharded", Value: sharded.hitRate * 100, Target: 100.0 * cachesOf / dataOf},
	}})
}

// heldRequests are the requests that warm the caches, and those that count.
func heldRequests(r *proof.Report, data int) (warm, counted int) {
	if r.Quick {
		return 3 * data, 30_000
	}
	return 5 * data, 150_000
}

const itemSize = 1000

// heldByMemcached uses ten memcached in two ways: an application asks any of them, or the router.
func heldByMemcached(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "memcached", "memcacheshard"); err != nil {
		return err
	}
	servers, err := memcachedOf(ctx, g, "memcached", cachesOf, "1MiB")
	if err != nil {
		return err
	}
	room, err := roomOf(ctx, g, servers[0].Data)
	if err != nil {
		return err
	}
	data := dataOf * room
	r.Log("each has room for %d items of %d bytes; %d keys", room, itemSize, data)
	var direct []*aside
	for _, p := range servers {
		direct = append(direct, newAside(g, p.Data, itemSize, nil))
	}
	alike, err := holdMemcached(ctx, r, servers, data, func(ctx context.Context, key string) openloop.Answer {
		return direct[rand.IntN(cachesOf)].get(ctx, key)
	})
	if err != nil {
		return fmt.Errorf("filled alike: %w", err)
	}
	router, err := shardRouter(ctx, g, servers)
	if err != nil {
		return err
	}
	sharded, err := holdMemcached(ctx, r, servers, data, newAside(g, router.Data, itemSize, nil).get)
	if err != nil {
		return fmt.Errorf("sharded: %w", err)
	}
	return claimHeld(r, alike, sharded)
}

// roomOf fills a memcached and tells how many items it keeps.
func roomOf(ctx context.Context, g *rig.Rig, addr string) (int, error) {
	a := newAside(g, addr, itemSize, nil)
	for i := range 5000 {
		if err := a.store(userKey(i)); err != nil {
			return 0, fmt.Errorf("fill memcached: %w", err)
		}
	}
	room, err := memcachedStat(ctx, addr, "curr_items")
	if err == nil && (room < 100 || room == 5000) {
		err = fmt.Errorf("memcached keeps %d of 5000 items: it was to be full", room)
	}
	return room, err
}

func holdMemcached(ctx context.Context, r *proof.Report, servers []*rig.Proc, data int, get func(context.Context, string) openloop.Answer) (h holding, err error) {
	if err := flushAll(ctx, servers); err != nil {
		return h, err
	}
	h.hitRate, err = hitRateOf(ctx, r, data, func(ctx context.Context, _ int) openloop.Answer { return get(ctx, userKey(rand.IntN(data))) })
	if err != nil {
		return h, err
	}
	held, err := items(ctx, servers)
	if err != nil {
		return h, err
	}
	h.each = float64(held) / float64(len(servers)) / float64(data)
	found, err := distinct(ctx, servers, data)
	h.together = float64(found) / float64(data)
	return h, err
}

// hitRateOf warms the caches and counts.
func hitRateOf(ctx context.Context, r *proof.Report, data int, send func(context.Context, int) openloop.Answer) (float64, error) {
	warm, counted := heldRequests(r, data)
	if _, err := (loop{clients: 16, duration: 10 * time.Minute, requests: warm, send: send}).run(ctx); err != nil {
		return 0, fmt.Errorf("warm: %w", err)
	}
	result, err := loop{clients: 16, duration: 10 * time.Minute, requests: counted, send: send}.run(ctx)
	if err != nil {
		return 0, fmt.Errorf("measure: %w", err)
	}
	return result.hitRate(), nil
}

func flushAll(ctx context.Context, servers []*rig.Proc) error {
	for _, p := range servers {
		c, err := dialMemcached(ctx, p.Data)
		if err != nil {
			return err
		}
		answer, err := c.do("flush_all\r\n")
		c.close()
		if err != nil || answer != "OK" {
			return fmt.Errorf("empty %s: %s, %w", p.Spec.Name, answer, err)
		}
	}
	return nil
}

// distinct counts the keys that at least one server holds.
func distinct(ctx context.Context, servers []*rig.Proc, data int) (int, error) {
	keys := make([]string, data)
	for i := range keys {
		keys[i] = userKey(i)
	}
	held := make([]bool, data)
	for _, p := range servers {
		c, err := dialMemcached(ctx, p.Data)
		if err != nil {
			return 0, err
		}
		values, err := c.getAll(keys)
		c.close()
		if err != nil {
			return 0, err
		}
		for i, value := range values {
			held[i] = held[i] || value != "nil"
		}
	}
	n := 0
	for _, is := range held {
		if is {
			n++
		}
	}
	return n, nil
}

// The HTTP caches: what a page of this size weighs with all that is needed to find it, a cache tells.
const (
	heldPage   = 16 << 10
	heldMemory = "2MiB"
)

// heldByCaches does the same with ten HTTP caches: behind a balancer that takes any of them, and behind the sharding proxy.
func heldByCaches(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "cache", "shardproxy"); err != nil {
		return err
	}
	origin := &rig.Origin{}
	if err := g.Origin(origin); err != nil {
		return err
	}
	room, err := roomOfCache(ctx, g, origin)
	if err != nil {
		return err
	}
	data := dataOf * room
	r.Log("each has room for %d pages of %d KiB; %d pages", room, heldPage>>10, data)
	alike, err := holdAlike(ctx, r, g, origin, data)
	if err != nil {
		return fmt.Errorf("filled alike: %w", err)
	}
	sharded, err := holdSharded(ctx, r, g, origin, data)
	if err != nil {
		return fmt.Errorf("sharded: %w", err)
	}
	r.Note("Sharded by services/shardproxy, key uri, placement of nginx. What all hold together is counted where they are sharded, and computed where each keeps what it likes.")
	return claimHeld(r, alike, sharded)
}

// holdAlike sends each request to any of the caches.
func holdAlike(ctx context.Context, r *proof.Report, g *rig.Rig, origin *rig.Origin, data int) (h holding, err error) {
	procs, err := heldCaches(ctx, g, origin, "alike")
	if err != nil {
		return h, err
	}
	defer killAll(procs)
	var clients []*openloop.Client
	for _, p := range procs {
		client, err := plain(p.Data)
		if err != nil {
			return h, err
		}
		defer client.Close()
		clients = append(clients, client)
	}
	h.hitRate, err = hitRateOf(ctx, r, data, func(ctx context.Context, _ int) openloop.Answer {
		return clients[rand.IntN(cachesOf)].Get(ctx, heldPath(rand.IntN(data)), nil)
	})
	if err != nil {
		return h, err
	}
	held, err := pagesOfAll(ctx, procs)
	h.each = float64(held) / cachesOf / float64(data)
	h.together = 1 - math.Pow(1-h.each, cachesOf) // each keeps its own choice
	return h, err
}

// holdSharded sends each request to the proxy.
func holdSharded(ctx context.Context, r *proof.Report, g *rig.Rig, origin *rig.Origin, data int) (h holding, err error) {
	procs, err := heldCaches(ctx, g, origin, "sharded")
	if err != nil {
		return h, err
	}
	defer killAll(procs)
	var shards [][]*rig.Proc
	for _, p := range procs {
		shards = append(shards, []*rig.Proc{p})
	}
	proxy, err := shardProxy(ctx, g, "shardproxy", shards)
	if err != nil {
		return h, err
	}
	defer proxy.Kill()
	client, err := plain(proxy.Data)
	if err != nil {
		return h, err
	}
	defer client.Close()
	h.hitRate, err = hitRateOf(ctx, r, data, func(ctx context.Context, _ int) openloop.Answer {
		return client.Get(ctx, heldPath(rand.IntN(data)), nil)
	})
	if err != nil {
		return h, err
	}
	held, err := pagesOfAll(ctx, procs)
	h.together = float64(held) / float64(data) // no page is in two shards
	h.each = h.together / cachesOf
	return h, err
}

func heldCaches(ctx context.Context, g *rig.Rig, origin *rig.Origin, name string) ([]*rig.Proc, error) {
	return cachesNamed(ctx, g, origin, name, cachesOf, map[string]string{"CACHE_MEMORY": heldMemory})
}

func heldPath(n int) string { return fmt.Sprintf("/%d/page-%d", heldPage, n) }

// roomOfCache fills a cache and tells how many pages it keeps.
func roomOfCache(ctx context.Context, g *rig.Rig, origin *rig.Origin) (int, error) {
	p, err := cacheBefore(ctx, g, "room", origin.Upstream(), map[string]string{"CACHE_MEMORY": heldMemory, "CACHE_ACCESS_LOG": "0"})
	if err != nil {
		return 0, err
	}
	defer p.Kill()
	client, err := plain(p.Data)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	result, err := loop{clients: 8, duration: time.Minute, requests: 1000, send: func(ctx context.Context, n int) openloop.Answer {
		return client.Get(ctx, heldPath(n), nil)
	}}.run(ctx)
	if err != nil {
		return 0, fmt.Errorf("fill a cache: %w", err)
	}
	held, err := pagesOf(ctx, p)
	if err == nil && (held < 50 || held >= int(result.good)) {
		err = fmt.Errorf("a cache keeps %d of %d pages: it was to be full", held, result.good)
	}
	return held, err
}

// pagesOf asks a cache how many pages it holds.
func pagesOf(ctx context.Context, p *rig.Proc) (int, error) {
	var held struct{ Resources int }
	err := getJSON(ctx, "http://"+p.Admin+"/v1/stats", &held)
	return held.Resources, err
}

func pagesOfAll(ctx context.Context, procs []*rig.Proc) (sum int, err error) {
	for _, p := range procs {
		n, err := pagesOf(ctx, p)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
