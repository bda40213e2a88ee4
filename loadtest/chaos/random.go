package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// Fault can be begun and ended.
type Fault struct {
	Name    string
	Victims []string // one of them is drawn
	// Begin begins it and returns what ends it.
	Begin func(ctx context.Context, victim string) (end func(context.Context) error, err error)
}

// Span is from the shortest to the longest.
type Span struct{ Min, Max time.Duration }

func (s Span) draw(r *rand.Rand) time.Duration {
	return s.Min + time.Duration(r.Int64N(int64(s.Max-s.Min)+1))
}

// Random lets faults happen one after the other.
type Random struct {
	Seed   uint64
	Faults []Fault
	Lasts  Span // how long each lasts
	Rests  Span // how long all is well after it
	Log    func(format string, args ...any)
}

// Round is one fault of a plan.
type Round struct {
	Fault       int
	Victim      string
	Lasts, Rest time.Duration
}

// Plan draws rounds. The same seed, faults and spans give the same ones.
func (c Random) Plan(rounds int) []Round {
	r := rand.New(rand.NewPCG(c.Seed, 0))
	plan := make([]Round, rounds)
	for i := range plan {
		f := r.IntN(len(c.Faults))
		victims := c.Faults[f].Victims
		plan[i] = Round{f, victims[r.IntN(len(victims))], c.Lasts.draw(r), c.Rests.draw(r)}
	}
	return plan
}

// endLimit bounds the end of a fault, which also happens when the run is broken off.
const endLimit = time.Minute

// Run draws rounds and calls each for every one of them: what is done before, during and
// after a fault is around its call of fault, which returns when the fault is over and the
// rest after it. What was begun is ended, also when something fails.
func (c Random) Run(ctx context.Context, rounds int, each func(ctx context.Context, round Round, fault func(context.Context) error) error) error {
	c.Log("faults by seed %d", c.Seed)
	for i, round := range c.Plan(rounds) {
		if err := each(ctx, round, func(ctx context.Context) error { return c.round(ctx, round) }); err != nil {
			return fmt.Errorf("round %d of seed %d, %s of %s: %w", i+1, c.Seed, c.Faults[round.Fault].Name, round.Victim, err)
		}
	}
	return nil
}

func (c Random) round(ctx context.Context, round Round) error {
	end, err := c.Faults[round.Fault].Begin(ctx, round.Victim)
	if err != nil {
		return err
	}
	lasted := retry.Sleep(ctx, round.Lasts)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	if err := errors.Join(lasted, end(ending)); err != nil {
		return err
	}
	return retry.Sleep(ctx, round.Rest)
}
