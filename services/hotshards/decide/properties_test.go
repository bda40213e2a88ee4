package decide

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawWorld(t *rapid.T) []Shard {
	var all []Shard
	for i := range rapid.IntRange(2, 6).Draw(t, "shards") {
		least := rapid.IntRange(1, 3).Draw(t, "least")
		all = append(all, at(fmt.Sprintf("s%d", i), rapid.Float64Range(0, 1000).Draw(t, "rate"), least, least+rapid.IntRange(0, 6).Draw(t, "room")))
	}
	return all
}

func drawPolicy(t *rapid.T, all []Shard) Policy {
	p := testPolicy()
	p.HotLooks = rapid.IntRange(1, 3).Draw(t, "hot looks")
	p.ColdLooks = rapid.IntRange(1, 5).Draw(t, "cold looks")
	p.Step = rapid.IntRange(1, 4).Draw(t, "step")
	p.Share = rapid.Bool().Draw(t, "share")
	least := 0
	for _, s := range all {
		least += s.Min
	}
	p.Budget = least + rapid.IntRange(0, 10).Draw(t, "budget")
	return p
}

// Whatever the loads, latencies and readiness do: bounds and budget hold, a guest's host is at home, and nobody moves to
// replicas that are not ready. See simulation.check.
func TestBoundsHoldWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawWorld(t)
		s := simulate(t, drawPolicy(t, all), all...)
		s.slow = rapid.IntRange(0, 5).Draw(t, "slow")
		for range rapid.IntRange(10, 80).Draw(t, "looks") {
			if rapid.Bool().Draw(t, "change") {
				one := &s.world.Shards[rapid.IntRange(0, len(all)-1).Draw(t, "which")]
				one.Rate = math.Pow(10, rapid.Float64Range(-1, 4).Draw(t, "rate"))
				one.P99 = time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "p99"))
			}
			s.look()
		}
	})
}

// settle looks until nothing was changed for longer than any rest.
func settle(t *rapid.T, s *simulation) {
	const most = 2000
	quiet := 0
	for range most {
		before := len(s.made)
		s.look()
		if quiet++; len(s.made) > before {
			quiet = 0
		}
		if quiet > 20 {
			return
		}
	}
	t.Fatalf("after %d looks it still changes: … %q", most, s.told()[max(0, len(s.made)-12):])
}

// With loads that stay the same it comes to rest, and then nobody is hot who could have more.
func TestItConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawWorld(t)
		s := simulate(t, drawPolicy(t, all), all...)
		settle(t, s)
		p := s.judge.policy
		for _, g := range groups(s.world, p) {
			if g.Ratio >= p.Hot && g.home.Want < g.home.Max && s.world.Replicas() < p.Budget && len(s.world.Shards) > 1 && len(groups(s.world, p)) > 1 {
				t.Fatalf("%s is hot: %+v; %q", g.Home, g, s.told())
			}
		}
	})
}

// When the load is even again, all is as it was at the beginning.
func TestItScalesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawWorld(t)
		for i := range all {
			all[i].Min, all[i].Want, all[i].Ready = 2, 2, 2
			all[i].Max = max(all[i].Max, 2)
		}
		p := drawPolicy(t, all)
		p.Budget = 2*len(all) + 10
		s := simulate(t, p, all...)
		settle(t, s)
		for i := range s.world.Shards {
			s.world.Shards[i].Rate = 200
		}
		settle(t, s)
		for _, one := range s.world.Shards {
			if one.Host != one.Name || one.Want != one.Min {
				t.Fatalf("%s has %d replicas, is served by %s: %q", one.Name, one.Want, one.Host, s.told())
			}
		}
	})
}

// reversals counts how often a shard's replicas, or its place, went back to where they were.
func reversals(made []Decision, shard string) int {
	n, up := 0, 0
	for _, d := range made {
		if d.Shard != shard || d.Kind == Prepare || d.Kind == Retire {
			continue
		}
		direction := -1
		if d.Kind == Grow || d.Kind == Part {
			direction = 1
		}
		if up != 0 && direction != up {
			n++
		}
		up = direction
	}
	return n
}

// Noise of less than what the thresholds are apart does not make it flap, in whatever order it comes. The first guess may
// be corrected once: it was made of a noisy number.
func TestNoiseAroundAThresholdDoesNotMakeItFlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := testPolicy()
		p.HotLooks, p.ColdLooks, p.GrowRest, p.CoolRest = 1, 1, 0, 0 // the thresholds alone
		threshold := rapid.SampledFrom([]float64{p.Hot, p.Cool, 2 * p.Hot, 2 * p.Cool, p.Part, p.Cold}).Draw(t, "threshold")
		// ((1+e)/(1-e))² = 1.33 is less than Hot/Cool = 1.36: ratios of two noisy numbers, at two times.
		const e = 0.071
		rates := []float64{100 * threshold, 100, 100, 100}
		s := simulate(t, p, at("a", 0, 1, 9), at("b", 0, 1, 9), at("c", 0, 1, 9), at("d", 0, 1, 9))
		for range rapid.IntRange(20, 120).Draw(t, "looks") {
			for i := range s.world.Shards {
				s.world.Shards[i].Rate = rates[i] * (1 + e*rapid.SampledFrom([]float64{-1, -0.5, 0, 0.5, 1}).Draw(t, "noise"))
			}
			s.look()
		}
		for _, one := range s.world.Shards {
			if n := reversals(s.made, one.Name); n > 1 {
				t.Fatalf("%s went back %d times: %q", one.Name, n, s.told())
			}
		}
	})
}

// Two judges who see the same decide the same: nothing hidden takes part.
func TestADecisionFollowsFromItsNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawWorld(t)
		p := drawPolicy(t, all)
		one, other := simulate(t, p, all...), simulate(t, p, append([]Shard(nil), all...)...)
		one.run(60)
		other.run(60)
		if fmt.Sprint(one.told()) != fmt.Sprint(other.told()) {
			t.Fatalf("%q, %q", one.told(), other.told())
		}
	})
}
