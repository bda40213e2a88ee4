package decide

import (
	"fmt"
	"testing"
	"time"
)

// testPolicy has rests and looks that can be counted on the fingers; a look is a second.
func testPolicy() Policy {
	return Policy{
		Hot: 1.5, Cool: 1.1, Part: 0.9, Cold: 0.5, Floor: 10, Late: 1.5, LateFloor: 20 * time.Millisecond,
		HotLooks: 2, ColdLooks: 4, GrowRest: 3 * time.Second, CoolRest: 6 * time.Second, Step: 3, Budget: 32, Idle: 1, Share: true,
	}
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A simulation is a world whose orchestrator does what is decided.
type simulation struct {
	t     interface{ Fatalf(string, ...any) }
	judge *Judge
	world World
	made  []Decision
	slow  int // looks until an ordered replica is ready

	due []int // per shard: looks until its replicas are as they were ordered
}

func simulate(t interface{ Fatalf(string, ...any) }, p Policy, shards ...Shard) *simulation {
	s := &simulation{t: t, judge: New(p, start), world: World{At: start, Window: 2 * time.Second, Shards: shards}, due: make([]int, len(shards))}
	return s
}

// at returns a shard at home with its least replicas.
func at(name string, rate float64, least, most int) Shard {
	return Shard{Name: name, Host: name, Rate: rate, Min: least, Max: most, Want: least, Ready: least}
}

// look lets a second pass and does what is decided then.
func (s *simulation) look() Verdict {
	s.world.At = s.world.At.Add(time.Second)
	for i := range s.world.Shards {
		if s.due[i]--; s.due[i] <= 0 {
			s.world.Shards[i].Ready = s.world.Shards[i].Want
		}
	}
	v := s.judge.Look(s.world)
	if d, now := v.Next(); now {
		s.do(d)
		s.check(d)
	}
	return v
}

func (s *simulation) do(d Decision) {
	for i := range s.world.Shards {
		shard := &s.world.Shards[i]
		if shard.Name != d.Shard {
			continue
		}
		if d.Kind.Moves() {
			shard.Host = d.Host
			continue
		}
		shard.Want = d.To
		shard.Ready = min(shard.Ready, d.To)
		s.due[i] = s.slow
	}
	s.judge.Made(d, s.world.At)
	s.made = append(s.made, d)
}

// check demands what holds after every decision.
func (s *simulation) check(d Decision) {
	p := s.judge.policy
	if n := s.world.Replicas(); n > p.Budget {
		s.t.Fatalf("%s: %d replicas are more than the budget of %d", d, n, p.Budget)
	}
	if len(d.Reasons) == 0 {
		s.t.Fatalf("%s: without a reason", d)
	}
	for _, shard := range s.world.Shards {
		host := s.world.shard(shard.Host)
		if host == nil || host.Host != host.Name {
			s.t.Fatalf("%s: %s is a guest of %s, who is not at home", d, shard.Name, shard.Host)
		}
		if host.Want < host.Min || host.Want > host.Max {
			s.t.Fatalf("%s: %s has %d replicas, want %d to %d", d, host.Name, host.Want, host.Min, host.Max)
		}
		if d.Kind == Part && d.Shard == shard.Name && shard.Ready < shard.Min {
			s.t.Fatalf("%s: to %d replicas that are ready, of %d", d, shard.Ready, shard.Min)
		}
	}
}

// rate sets the load of a shard.
func (s *simulation) rate(name string, rate float64) { s.world.shard(name).Rate = rate }

// run looks until nothing has changed for a while, and fails when that does not come.
func (s *simulation) run(looks int) {
	for range looks {
		s.look()
	}
}

func (s *simulation) told() (told []string) {
	for _, d := range s.made {
		told = append(told, d.String())
	}
	return told
}

func wantTold(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("decisions:\n got %q\nwant %q", got, want)
	}
}
