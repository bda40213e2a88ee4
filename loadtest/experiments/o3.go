package experiments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/linear"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func o3() proof.Pattern {
	return proof.Pattern{ID: "O3", Title: "Ownership: handling concurrent data manipulation", Page: "o3-fencing.md", Experiments: []proof.Experiment{
		{Name: "zombie", Question: "Is what an owner sent before it was paused refused after its successor has written, and caught when the worker does not look?", Run: zombie},
		{Name: "rounds", Question: "Do pauses, kills and partitions ever lose an entry, record it twice or let an owner of the past write?", Run: faultRounds},
	}}
}

// zombie plays one script against the ledger as it is, and against one that records what
// everybody asks for.
func zombie(ctx context.Context, r *proof.Report) error {
	rounds := r.Rounds()
	if r.Quick {
		rounds = 2 // "in every run" is not shown by one
	}
	var right, wrong zombieCounts
	for range rounds {
		if err := zombieOnce(ctx, r, nil, &right); err != nil {
			return fmt.Errorf("with the check: %w", err)
		}
		if err := zombieOnce(ctx, r, map[string]string{"LEDGER_LESSON": "no-check"}, &wrong); err != nil {
			return fmt.Errorf("without the check: %w", err)
		}
	}
	of := fmt.Sprintf("of %d", rounds)
	r.Claim(proof.Exactly("runs in which the ledger refused what the zombie had sent before its pause", right.refused, rounds, of))
	r.Claim(proof.Exactly("and what came from it later", right.lateRefused, rounds, of))
	r.Claim(proof.Exactly("violations then, by the checker", right.entries+right.tokens, 0, of))
	r.Claim(proof.Exactly("a worker without the check: runs in which the checker sees that the ledger is wrong", wrong.entries, rounds, of))
	r.Claim(proof.Exactly("and that a token was accepted after a larger one", wrong.tokens, rounds, of))
	return nil
}

// zombieCounts are in how many runs something was so.
type zombieCounts struct{ refused, lateRefused, entries, tokens int }

// zombieOnce plays the script once, with these parameters of the ledger.
func zombieOnce(ctx context.Context, r *proof.Report, ledger map[string]string, counts *zombieCounts) error {
	g := rig.New(r)
	defer g.Close()
	o, err := newOwners(ctx, g, ownersSpec{ttl: time.Second, shards: 1, ledger: ledger})
	if err != nil {
		return err
	}
	s := newZombieScript(o, r.Log)
	if err := s.play(ctx); err != nil {
		return err
	}
	if s.refusedY {
		counts.refused++
	}
	if s.refusedLate {
		counts.lateRefused++
	}
	var c linear.Checker
	if len(ledger) > 0 {
		c.Dir = r.Dir // a violation is expected: nobody needs it afterwards
	}
	entries, err := s.rec.entries.History()
	if err != nil {
		return err
	}
	tokens, err := s.rec.tokens.History()
	if err != nil {
		return err
	}
	return errors.Join(violated(c.Check(entries), &counts.entries), violated(c.Check(tokens), &counts.tokens))
}

// violated counts a violation; every other error is one of the experiment.
func violated(err error, count *int) error {
	if errors.Is(err, linear.ErrViolation) {
		*count++
		return nil
	}
	return err
}
