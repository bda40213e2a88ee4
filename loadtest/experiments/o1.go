package experiments

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func o1() proof.Pattern {
	return proof.Pattern{ID: "O1", Title: "Ownership: locks", Page: "o1-locks.md", Experiments: []proof.Experiment{
		{Name: "unlock", Question: "Does an unlock without the lock's version take it from somebody else, and one with it never?", Run: unlock},
		{Name: "waiting", Question: "How long is a released lock free, when those who wait for it poll, and when they watch?", Run: waiting},
	}}
}

// waiting hands a lock over again and again, and measures until somebody has it.
func waiting(ctx context.Context, r *proof.Report) error {
	count := 50
	if r.Quick {
		count = 10
	}
	const poll = time.Second
	watched, err := handOvers(ctx, r, "0s", count)
	if err != nil {
		return fmt.Errorf("watching: %w", err)
	}
	polled, err := handOvers(ctx, r, poll.String(), count)
	if err != nil {
		return fmt.Errorf("polling: %w", err)
	}
	r.Claim(proof.AtMost(fmt.Sprintf("watching: from SIGTERM of the owner to the next owner, median of %d", count), milliseconds(watched.Quantile(0.5)), 100, "ms"))
	r.Claim(proof.AtLeast("polling every second, beside watching, median", milliseconds(polled.Quantile(0.5))/milliseconds(watched.Quantile(0.5)), 2, "×"))
	row := func(name string, h *hist.Histogram) []string {
		return []string{name, proof.Number(milliseconds(h.Quantile(0.5))), proof.Number(milliseconds(h.Quantile(0.99))), proof.Number(milliseconds(h.Max()))}
	}
	r.Table(proof.Table{Title: fmt.Sprintf("Milliseconds from SIGTERM of the owner to the next owner, of %d", count), Columns: []string{"who waits", "median", "p99", "longest"},
		Rows: [][]string{row("watches", watched), row("polls every "+poll.String(), polled)}})
	r.Note("The owner is asked to end, gives the lock back, and is started again afterwards; two others wait for it. Of two that poll every second at moments of chance the first comes after a third of it.")
	return nil
}

// handOvers ends the owner again and again and measures until somebody else has the lock.
func handOvers(ctx context.Context, r *proof.Report, poll string, count int) (*hist.Histogram, error) {
	g := rig.New(r)
	defer g.Close()
	o, err := newOwners(ctx, g, ownersSpec{ttl: 3 * time.Second, shards: 1, replica: map[string]string{"OWNERSHIP_POLL": poll}})
	if err != nil {
		return nil, err
	}
	h := new(hist.Histogram)
	for range count {
		took, err := o.handOver(ctx)
		if err != nil {
			return nil, err
		}
		h.Record(took)
	}
	return h, nil
}

// handOver ends the owner, waits for the next one, and starts the former one again.
func (o *owners) handOver(ctx context.Context) (time.Duration, error) {
	now, owner, err := o.acting(ctx, 0)
	if err != nil {
		return 0, err
	}
	i, _, err := o.replica(owner.Spec.Name)
	if err != nil {
		return 0, err
	}
	// What waits must have begun to, and what polls must not be in step with anything here.
	if err := retry.Sleep(ctx, 500*time.Millisecond+rand.N(time.Second)); err != nil {
		return 0, err
	}
	begin := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- owner.Stop(ctx) }()
	_, err = o.awaitOwner(ctx, o.other(i), 0, now.Token)
	took := time.Since(begin)
	if err := errors.Join(err, <-ended); err != nil {
		return 0, err
	}
	return took, owner.Restart(ctx)
}
