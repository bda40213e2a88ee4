package scattersim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxLeaves bounds the leaves of a simulation.
const MaxLeaves = 1000

// maxCalls bounds the length of a simulation: calls that requests make, hedges and retries aside.
const maxCalls = 50_000_000

// Config is what is simulated. The zero value of a field means that there is no such thing, unless it says otherwise.
type Config struct {
	Leaves   int // shards of the corpus
	Replicas int // of each shard; 1 when 0
	Requests int
	Rate     float64 // arrivals per second, as irregular as those of users (Poisson); 0: each begins when the one before has ended
	Seed     uint64

	Request  time.Duration // computing of the root for each request, before it is scattered
	Gather   time.Duration // computing of the root for each call
	Overhead time.Duration // computing of a leaf for each call, whatever its share of the corpus is
	Work     time.Duration // computing of a request on one leaf that has all documents
	Wait     time.Duration // of each call, while nobody computes
	Jitter   time.Duration // mean of an exponentially distributed time on top of it
	Cores    int           // that root and leaves share; 0: each has one of its own

	Slow    float64 // probability that a call is slow
	SlowBy  time.Duration
	Failure float64 // probability that a call fails

	Hedge  float64 // quantile of the calls after which another replica is asked as well; 0: never
	Budget float64 // extra calls for hedges, as a share of the calls
}

// Check returns what is wrong with a configuration.
func (c Config) Check() error {
	var wrong []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	add(c.Leaves < 1 || c.Leaves > MaxLeaves, "leaves: %d, want 1 to %d", c.Leaves, MaxLeaves)
	add(c.Replicas < 0 || c.Replicas > 9, "replicas: %d, want 1 to 9", c.Replicas)
	add(c.Requests < 1 || c.Requests*max(c.Leaves, 1) > maxCalls, "requests: %d, want at least 1 and, times the leaves, at most %d", c.Requests, maxCalls)
	add(c.Cores < 0 || c.Cores > 1024, "cores: %d, want 0 to 1024", c.Cores)
	add(!(c.Rate >= 0 && c.Rate <= 1e6), "rate: %v, want 0 to 1,000,000 a second", c.Rate)
	for name, share := range map[string]float64{"slow": c.Slow, "failure": c.Failure, "hedge": c.Hedge, "budget": c.Budget} {
		add(!(share >= 0 && share <= 1), "%s: %v, want 0 to 1", name, share)
	}
	for name, d := range map[string]time.Duration{"request": c.Request, "gather": c.Gather, "overhead": c.Overhead, "work": c.Work, "wait": c.Wait, "jitter": c.Jitter, "slow by": c.SlowBy} {
		add(d < 0 || d > time.Hour, "%s: %v, want 0 to 1h", name, d)
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(wrong...)
}

// Result is what users and leaves saw.
type Result struct {
	Requests int
	Complete int     // requests that all shards answered
	Slow     float64 // share of the requests that waited for a slow call
	Harvest  float64 // mean share of the shards that answered
	Calls    int     // that had to be made: one for each request and shard
	Hedges   int     // calls on top of them because a call was late
	Retries  int     // and because one had failed

	latencies []time.Duration // sorted
}

// Quantile is a latency below which a share of the requests lies.
func (r Result) Quantile(q float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(int(q*float64(len(r.latencies))), len(r.latencies)-1)]
}

// Mean latency.
func (r Result) Mean() time.Duration {
	sum := 0.0
	for _, l := range r.latencies {
		sum += float64(l)
	}
	return time.Duration(sum / float64(max(len(r.latencies), 1)))
}

// Yield is the share of the requests that were answered whole.
func (r Result) Yield() float64 { return float64(r.Complete) / float64(r.Requests) }

// Extra are the hedges as a share of the calls.
func (r Result) Extra() float64 { return float64(r.Hedges) / float64(r.Calls) }
