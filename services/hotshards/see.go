package hotshards

import (
	"context"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/services/hotshards/decide"
	"github.com/flotilla-dev/flotilla/services/hotshards/loads"
	"github.com/flotilla-dev/flotilla/services/hotshards/replicas"
)

// proxies tell loads, and can be told where shards are served: *loads.Proxies, or a fake.
type proxies interface {
	Look(context.Context) (loads.View, error)
	Place(ctx context.Context, shard, replicas string) error
}

// orchestrator counts and changes replicas: *replicas.Runner or *replicas.Kubernetes.
type orchestrator interface {
	Count(ctx context.Context, services ...string) (map[string]replicas.Count, error)
	Scale(ctx context.Context, service string, from, to int) error
}

// A sight is what a look has found.
type sight struct {
	world  decide.World
	view   loads.View
	repair *repair // to be made before anything is decided
}

// A repair tells all proxies again where a shard is served, because they disagree.
type repair struct {
	shard, host string
	reason      string
}

// A blindness is a look that has failed, and whose fault it was.
type blindness struct {
	whose string // one of the outcomes of looks
	err   error
}

func (b *blindness) Error() string { return b.err.Error() }
func (b *blindness) Unwrap() error { return b.err }

// The outcomes of looks.
const (
	seen           = "ok"
	noProxies      = "proxies"
	noOrchestrator = "orchestrator"
	noSense        = "unknown-place"
)

// see looks at proxies and orchestrator.
func (c *controller) see(ctx context.Context) (sight, error) {
	view, err := c.proxies.Look(ctx)
	if err != nil {
		return sight{}, &blindness{noProxies, err}
	}
	counts, err := c.count(ctx, view)
	if err != nil {
		return sight{}, &blindness{noOrchestrator, err}
	}
	found := sight{view: view, world: decide.World{At: c.now(), Window: view.Window}}
	for _, s := range c.shards {
		load, err := find(view, s.Name)
		if err != nil {
			return sight{}, &blindness{noSense, err}
		}
		n := counts[s.Service]
		one := decide.Shard{Name: s.Name, Rate: load.Rate, P99: load.P99, Min: s.Min, Max: s.Max, Want: n.Want, Ready: n.Ready, Unsettled: load.Leaving}
		if one.Host, err = c.host(load.Places[0].Replicas, s.Name); err != nil {
			return sight{}, &blindness{noSense, err}
		}
		if len(load.Places) > 1 {
			if found.repair, err = c.disagreement(s, load, n); err != nil {
				return sight{}, &blindness{noSense, err}
			}
			one.Host, one.Unsettled = found.repair.host, true
		}
		found.world.Shards = append(found.world.Shards, one)
	}
	return found, nil
}

// count counts the replicas of all shards: those that the orchestrator has, or, where there is none, those that the
// proxies have found.
func (c *controller) count(ctx context.Context, view loads.View) (map[string]replicas.Count, error) {
	services := make([]string, 0, len(c.shards))
	found := map[string]replicas.Count{}
	for _, s := range c.shards {
		services = append(services, s.Service)
		var n replicas.Count
		load, _ := find(view, s.Name) // one that is missing is told later
		for _, r := range load.Replicas {
			n.Want++
			if r.Usable {
				n.Ready++
			}
		}
		found[s.Service] = n
	}
	if c.orchestrator == nil {
		return found, nil
	}
	return c.orchestrator.Count(ctx, services...)
}

func find(v loads.View, name string) (loads.Shard, error) {
	for _, s := range v.Shards {
		if s.Name == name {
			return s, nil
		}
	}
	return loads.Shard{}, fmt.Errorf("the proxies have no shard %s", name)
}

// host is the shard whose replicas are at an address.
func (c *controller) host(address, of string) (string, error) {
	for _, s := range c.shards {
		if s.Replicas == address {
			return s.Name, nil
		}
	}
	return "", fmt.Errorf("shard %s is served by %s, which are the replicas of no shard of HOTSHARDS_CONFIG_FILE", of, address)
}

// disagreement decides where a shard is served about which the proxies disagree: a move that did not reach all of them, or a
// proxy that has restarted with the places of its file. At home, if its replicas are there; otherwise where most proxies
// have it.
func (c *controller) disagreement(s shard, load loads.Shard, n replicas.Count) (*repair, error) {
	place := load.Places[0]
	reason := fmt.Sprintf("the proxies disagree; %d of %d have it there", place.Proxies, proxiesOf(load))
	home := n.Ready >= s.Min
	for _, p := range load.Places {
		if p.Replicas == s.Replicas && home {
			place, reason = p, "the proxies disagree, and its own replicas are ready"
		}
		if place.Replicas == s.Replicas && !home {
			place = p // its home is not ready: somewhere else, if anybody has it there
		}
	}
	host, err := c.host(place.Replicas, s.Name)
	return &repair{s.Name, host, reason}, err
}

func proxiesOf(load loads.Shard) (n int) {
	for _, p := range load.Places {
		n += p.Proxies
	}
	return n
}

// address is where the replicas of a shard are.
func (c *controller) address(name string) string { return c.entry(name).Replicas }

func (c *controller) entry(name string) shard {
	for _, s := range c.shards {
		if s.Name == name {
			return s
		}
	}
	return shard{}
}

// fresh is how old a look may be whose numbers are still those of now.
func (c *controller) fresh() time.Duration { return 3*c.cfg.Interval + c.cfg.Timeout }
