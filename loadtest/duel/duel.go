// Package duel compares servers fairly on a machine that is never quite quiet.
//
// The sides are measured in alternated rounds – forwards, then backwards – so
// that a drift of the machine meets all of them, and the median of at least five
// rounds speaks for each. A round in which any side answered with an error is
// void and is repeated: a server that refuses is fast. Beside the rate stands the
// CPU time per operation, which tells what a rate costs and hardly depends on how
// busy the machine was.
package duel

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Sample is what one side did in one round.
type Sample struct {
	Ops     uint64        // complete, good answers
	Errors  uint64        // anything else; > 0 makes the round void
	Took    time.Duration // of the load
	P50     time.Duration // latency, 0 where the tool does not tell
	P99     time.Duration
	CPU     time.Duration // of the server with its children
	Remarks []string      // what made errors
}

// Rate is operations per second.
func (s Sample) Rate() float64 {
	if s.Took <= 0 {
		return 0
	}
	return float64(s.Ops) / s.Took.Seconds()
}

// CPUPerOp is the server's processor time for one operation.
func (s Sample) CPUPerOp() time.Duration {
	if s.Ops == 0 {
		return 0
	}
	return s.CPU / time.Duration(s.Ops)
}

// Busy is how many CPUs the server used: near 1 when it is the bottleneck of a
// server pinned to one.
func (s Sample) Busy() float64 {
	if s.Took <= 0 {
		return 0
	}
	return s.CPU.Seconds() / s.Took.Seconds()
}

// Side is one of the servers that are compared.
type Side struct {
	Name  string
	Round func(ctx context.Context) (Sample, error)
}

// Options say how often.
type Options struct {
	Rounds int // valid ones wanted; 5 when 0
	Void   int // void ones borne before the comparison fails; as many as Rounds when 0
	Log    func(format string, args ...any)
}

// Outcome is what one side did in all valid rounds.
type Outcome struct {
	Name   string
	Rounds []Sample
	Void   int // rounds that were repeated because some side erred
}

// Run measures the sides and returns their outcomes in the same order.
func Run(ctx context.Context, o Options, sides ...Side) ([]Outcome, error) {
	if o.Rounds == 0 {
		o.Rounds = 5
	}
	if o.Void == 0 {
		o.Void = o.Rounds
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	outcomes := make([]Outcome, len(sides))
	for i, side := range sides {
		outcomes[i].Name = side.Name
	}
	void := 0
	for n := 0; len(outcomes[0].Rounds) < o.Rounds; n++ {
		samples, remark, err := round(ctx, n, sides, o.Log)
		if err != nil {
			return nil, err
		}
		if remark != "" {
			if void++; void > o.Void {
				return nil, fmt.Errorf("%d rounds were void, the last because of %s", void, remark)
			}
			o.Log("round void, repeated: %s", remark)
			continue
		}
		for i := range sides {
			outcomes[i].Rounds = append(outcomes[i].Rounds, samples[i])
		}
	}
	for i := range outcomes {
		outcomes[i].Void = void
	}
	return outcomes, nil
}

// round measures every side once, backwards in every second round. The remark
// says why it is void.
func round(ctx context.Context, n int, sides []Side, log func(string, ...any)) (samples []Sample, remark string, err error) {
	samples = make([]Sample, len(sides))
	for k := range sides {
		i := k
		if n%2 == 1 {
			i = len(sides) - 1 - k
		}
		s, err := sides[i].Round(ctx)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", sides[i].Name, err)
		}
		if s.Errors > 0 || s.Ops == 0 {
			return samples, fmt.Sprintf("%s: %d good answers, %d errors %v", sides[i].Name, s.Ops, s.Errors, s.Remarks), nil
		}
		log("  round %d, %s: %.0f/s, %v CPU each, %.2f CPUs busy, p99 %v", n+1, sides[i].Name, s.Rate(), s.CPUPerOp(), s.Busy(), s.P99)
		samples[i] = s
	}
	return samples, "", nil
}

// Rate is the median rate.
func (o Outcome) Rate() float64 { return o.median(Sample.Rate) }

// CPUPerOp is the median processor time for one operation.
func (o Outcome) CPUPerOp() time.Duration {
	return time.Duration(o.median(func(s Sample) float64 { return float64(s.CPUPerOp()) }))
}

// P50 is the median of the rounds' medians.
func (o Outcome) P50() time.Duration {
	return time.Duration(o.median(func(s Sample) float64 { return float64(s.P50) }))
}

// P99 is the median of the rounds' 99th percentiles.
func (o Outcome) P99() time.Duration {
	return time.Duration(o.median(func(s Sample) float64 { return float64(s.P99) }))
}

// Busy is the median of the used CPUs.
func (o Outcome) Busy() float64 { return o.median(Sample.Busy) }

// Spread is the lowest and the highest rate of the rounds.
func (o Outcome) Spread() (lowest, highest float64) {
	lowest = math.Inf(1)
	for _, s := range o.Rounds {
		lowest, highest = min(lowest, s.Rate()), max(highest, s.Rate())
	}
	return lowest, highest
}

func (o Outcome) median(of func(Sample) float64) float64 {
	values := make([]float64, 0, len(o.Rounds))
	for _, s := range o.Rounds {
		values = append(values, of(s))
	}
	return Median(values)
}

// Median of the values; NaN of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
