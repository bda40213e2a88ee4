package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// The experiment of capacity: a tier that serves 1,000 requests/s, and four caches.
const (
	tierRate   = 1000
	capCaches  = 4
	capLost    = 2
	shardRoom  = "1MiB" // of a shard: an eighth of the data
	wholeRooms = 4      // shards' rooms in a replica: half of the data

	// tierPatience is how long a request waits for its turn: as much as a machine that does other things too may
	// stand still. What is too much is refused when this is used up, which takes 1,500/s two seconds.
	tierPatience = 250 * time.Millisecond
)

// A trial is one rate at which users ask, after so many of the four caches were killed.
type trial struct {
	rate   float64
	lost   int
	serves bool // by arithmetic: the tier gets no more than it can
}

// tierLimit is what the tier can serve in sum at a hit rate.
func tierLimit(hitRate float64) float64 { return tierRate / (1 - hitRate) }

// capacityOfShards asks for the book's rates, with caches that are sharded and with ones that are replicas.
func capacityOfShards(ctx context.Context, r *proof.Report) error {
	r.Measured("bound by arithmetic, hit rate 50 %", tierLimit(0.5), "requests/s")
	r.Measured("bound by arithmetic, sharded, two of four lost: hit rate 25 %", tierLimit(0.25), "requests/s")
	r.Measured("bound by arithmetic, the whole cache lost", tierLimit(0), "requests/s")
	sharded := []trial{
		{2000, 0, true},
		{2000, capLost, false}, {1500, capLost, false}, {1333, capLost, true},
		{1333, capCaches, false}, {1000, capCaches, true},
	}
	replicated := []trial{{2000, 0, true}, {2000, capLost, true}, {1500, capLost, true}, {1333, capLost, true}}
	t := proof.Table{Title: "A tier of 1,000 requests/s behind four caches", Columns: []string{"caches", "lost", "asked for", "hit rate", "served", "p99 of served"}}
	bars := chart.Bars{Title: "Requests that a tier of 1,000/s behind four caches serves", Note: "dashed: all of them", Unit: "% served"}
	for _, way := range []struct {
		name   string
		trials []trial
		start  func(context.Context, *rig.Rig) (*capacityRig, error)
	}{{"sharded", sharded, startShardedCaches}, {"replicated", replicated, startReplicatedCaches}} {
		if err := capacityWay(ctx, r, way.name, way.trials, way.start, &t, &bars); err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
	}
	r.Table(t)
	r.Note("An open loop: users do not wait for each other. The tier lets a request wait %v for its turn, then refuses; what is measured begins when that is used up. All keys are asked for equally often. Sharded, a cache holds an eighth of the data, so two hold a quarter; as replicas behind a balancer each holds half of it, for four times the memory. "+
		"The book's 1,500/s with half of the cache lost is a plan for replicas; four shards that lose two leave 1,333/s. Nobody may plan with more than 1,000/s who wants to outlive the loss of the whole cache.", tierPatience)
	return r.Chart("capacity", bars)
}

// capacityRig is the tier, its caches and the applications between them: one before the sharded cache, or
// one before each replica.
type capacityRig struct {
	caches []*rig.Proc
	apps   []*aside
	alone  bool // each application has a cache of its own, and is gone with it
	keys   int
}

func startShardedCaches(ctx context.Context, g *rig.Rig) (*capacityRig, error) {
	servers, err := memcachedOf(ctx, g, "shard", capCaches, shardRoom)
	if err != nil {
		return nil, err
	}
	router, err := shardRouter(ctx, g, servers)
	if err != nil {
		return nil, err
	}
	return newCapacityRig(ctx, g, &capacityRig{caches: servers}, []string{router.Data}, 1)
}

func startReplicatedCaches(ctx context.Context, g *rig.Rig) (*capacityRig, error) {
	servers, err := memcachedOf(ctx, g, "replica", capCaches, fmt.Sprintf("%dMiB", wholeRooms))
	if err != nil {
		return nil, err
	}
	var addrs []string
	for _, p := range servers {
		addrs = append(addrs, p.Data)
	}
	return newCapacityRig(ctx, g, &capacityRig{caches: servers, alone: true}, addrs, wholeRooms)
}

// newCapacityRig starts the tier, and fills the caches with as much as they keep of the data: half.
func newCapacityRig(ctx context.Context, g *rig.Rig, c *capacityRig, addrs []string, rooms int) (*capacityRig, error) {
	tier, err := g.Dictionaries(ctx, 1, map[string]string{"DICTIONARY_MAX_RATE": fmt.Sprint(tierRate), "DICTIONARY_MAX_WAIT": tierPatience.String(), "LOG_LEVEL": "WARN"})
	if err != nil {
		return nil, err
	}
	client, err := plain(tier[0].Data)
	if err != nil {
		return nil, err
	}
	g.Defer(client.Close)
	room, err := roomOf(ctx, g, c.caches[0].Data)
	if err != nil {
		return nil, err
	}
	if err := flushAll(ctx, c.caches); err != nil {
		return nil, err
	}
	c.keys = 2 * capCaches * room / rooms
	for _, addr := range addrs {
		app := newAside(g, addr, itemSize, func(ctx context.Context, key string) openloop.Answer {
			return client.Get(ctx, "/v1/words/dog?for="+key, nil)
		})
		for _, i := range rand.Perm(c.keys) {
			if err := app.store(userKey(i)); err != nil {
				return nil, fmt.Errorf("fill the caches: %w", err)
			}
		}
		c.apps = append(c.apps, app)
	}
	return c, nil
}

// lose kills caches until so many are lost.
func (c *capacityRig) lose(n int) {
	for _, p := range c.caches[:n] {
		p.Kill()
	}
	if c.alone {
		c.apps = c.apps[len(c.apps)-(len(c.caches)-n):]
	}
}

// An outcome is what users saw after the tier had settled.
type outcome struct {
	sent, good float64
	hitRate    float64
	latency    *hist.Histogram // of all good answers
	reasons    map[string]uint64
	late       time.Duration // that the users themselves ever were
}

// attempts bound how often a trial is repeated in which the machine stood still for longer than the tier lets a request
// wait: then a burst is what is measured, and no rate.
const attempts = 5

// try asks until the machine did not stand still.
func (c *capacityRig) try(ctx context.Context, r *proof.Report, rate float64) (o outcome, err error) {
	for range attempts {
		// Who waited in the trial before has gone.
		if err := retry.Sleep(ctx, 4*tierPatience); err != nil {
			return o, err
		}
		o = c.ask(ctx, rate, r.Span(8*time.Second, 6*time.Second), r.Span(15*time.Second, 3*time.Second))
		if err := ctx.Err(); err != nil {
			return o, err
		}
		if o.late <= tierPatience {
			return o, nil
		}
		r.Log("void: the machine stood still for %v", o.late.Round(time.Millisecond))
	}
	return o, fmt.Errorf("%s requests/s: in each of %d attempts the machine stood still for more than %v: it does too much else", proof.Number(rate), attempts, tierPatience)
}

// ask is an open loop of users, each of whom a balancer sends to any of the applications. What happens before the tier
// has settled does not count; the load goes on without a pause, or else the tier would catch up.
func (c *capacityRig) ask(ctx context.Context, rate float64, settle, span time.Duration) outcome {
	settled := time.AfterFunc(settle, func() {
		for _, app := range c.apps {
			app.reset()
		}
	})
	defer settled.Stop()
	result := openloop.Load{Rate: rate, Duration: settle + span, Timeout: 2 * time.Second, Slice: time.Second, Send: func(ctx context.Context, _ int) openloop.Answer {
		return c.apps[rand.IntN(len(c.apps))].get(ctx, userKey(rand.IntN(c.keys)))
	}}.Run(ctx)
	o := outcome{latency: result.Latency, reasons: result.Reasons, late: result.Late}
	for _, slice := range result.Timeline[min(int(settle/time.Second), len(result.Timeline)):] {
		o.good += float64(slice.Good)
		o.sent += float64(slice.Good + slice.Failed)
	}
	hits, all := 0.0, 0.0
	for _, app := range c.apps {
		hits += float64(app.hits.Load())
		all += float64(app.hits.Load() + app.misses.Load() + app.unavailable.Load())
	}
	o.hitRate = hits / max(all, 1)
	return o
}

func capacityWay(ctx context.Context, r *proof.Report, name string, trials []trial, start func(context.Context, *rig.Rig) (*capacityRig, error), t *proof.Table, bars *chart.Bars) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "memcached", "memcacheshard", "dictionary"); err != nil {
		return err
	}
	c, err := start(ctx, g)
	if err != nil {
		return err
	}
	for _, trial := range trials {
		c.lose(trial.lost)
		o, err := c.try(ctx, r, trial.rate)
		if err != nil {
			return err
		}
		served := 100 * o.good / max(o.sent, 1)
		title := fmt.Sprintf("%s, %d of %d lost, %s/s", name, trial.lost, capCaches, proof.Number(trial.rate))
		r.Log("%s: hit rate %s, served %.1f %%, %v", title, percent(o.hitRate), served, o.reasons)
		t.Rows = append(t.Rows, []string{name, fmt.Sprint(trial.lost), proof.Number(trial.rate) + "/s", percent(o.hitRate), fmt.Sprintf("%.1f %%", served), told(o.latency.Quantile(0.99))})
		bars.Rows = append(bars.Rows, chart.Row{Label: title, Value: served, Target: 100, Bad: !trial.serves})
		if trial.serves {
			r.Claim(proof.AtLeast(title+": served", served, 95, "%"))
		} else {
			r.Claim(proof.AtMost(title+": served, as it is too much", served, 95, "%"))
		}
	}
	return nil
}
