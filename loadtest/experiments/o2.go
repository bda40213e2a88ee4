package experiments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func o2() proof.Pattern {
	return proof.Pattern{ID: "O2", Title: "Ownership: leases and election", Page: "o2-leases.md", Experiments: []proof.Experiment{
		{Name: "failover", Question: "How long is nobody the owner after kill -9, and does a former owner that comes back stay a listener?", Run: failover},
		{Name: "hand-over", Question: "How long is nobody the owner, and how long do writers wait, when the owner ends in order?", Run: handOverProof},
		{Name: "store-away", Question: "Does anybody act as owner without a valid lease while the store is away, and does all recover by itself?", Run: storeAway},
	}}
}

// failoverTTL is that of most leases here; the store's shortest is 1 s.
const failoverTTL = 2 * time.Second

func failover(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	o, err := newOwners(ctx, g, ownersSpec{ttl: failoverTTL, shards: 1})
	if err != nil {
		return err
	}
	rounds := 10
	if r.Quick {
		rounds = 2
	}
	var owned, written hist.Histogram
	usurped := 0
	for range rounds {
		killed, err := o.killOwner(ctx, &owned, &written)
		if err != nil {
			return err
		}
		paused, err := o.wakeFormer(ctx)
		if err != nil {
			return err
		}
		usurped += killed + paused
	}
	limit := milliseconds(failoverTTL + time.Second)
	r.Claim(proof.AtMost(fmt.Sprintf("kill -9 of the owner to the next owner, longest of %d (TTL %s)", rounds, failoverTTL), milliseconds(owned.Max()), limit, "ms"))
	r.Claim(proof.AtMost(fmt.Sprintf("and to the first entry that is recorded again, longest of %d", rounds), milliseconds(written.Max()), limit, "ms"))
	r.Measured("kill -9 to the next owner, median", milliseconds(owned.Quantile(0.5)), "ms")
	r.Claim(proof.Exactly(fmt.Sprintf("former owners, killed or paused and back, that took the shard from their successors, of %d", 2*rounds), usurped, 0, ""))
	return nil
}

// killOwner kills the owner, waits for the next one and for an entry, and looks what it
// does when it is started again.
func (o *owners) killOwner(ctx context.Context, owned, written *hist.Histogram) (usurped int, err error) {
	now, owner, err := o.acting(ctx, 0)
	if err != nil {
		return 0, err
	}
	i, _, err := o.replica(owner.Spec.Name)
	if err != nil {
		return 0, err
	}
	other := o.other(i)
	begin := time.Now()
	owner.Kill()
	wrote := make(chan error, 1)
	go func() {
		id := fmt.Sprintf("failover-%d", begin.UnixNano())
		err := until(ctx, "an entry is recorded", func() (bool, error) {
			_, what, err := o.post(ctx, other, id, "failover", 1)
			return what == recorded, err
		})
		written.Record(time.Since(begin))
		wrote <- err
	}()
	next, err := o.awaitOwner(ctx, other, 0, now.Token)
	owned.Record(time.Since(begin))
	if err := errors.Join(err, <-wrote); err != nil {
		return 0, err
	}
	if err := owner.Restart(ctx); err != nil {
		return 0, err
	}
	return o.usurps(ctx, owner, next)
}

// wakeFormer pauses the owner until it has a successor, and looks what it does when it
// goes on.
func (o *owners) wakeFormer(ctx context.Context) (usurped int, err error) {
	now, owner, err := o.acting(ctx, 0)
	if err != nil {
		return 0, err
	}
	i, _, err := o.replica(owner.Spec.Name)
	if err != nil {
		return 0, err
	}
	if err := owner.Pause(ctx); err != nil {
		return 0, err
	}
	next, err := o.awaitOwner(ctx, o.other(i), 0, now.Token)
	if err := errors.Join(err, owner.Resume()); err != nil {
		return 0, err
	}
	return o.usurps(ctx, owner, next)
}

// usurps asks a former owner, for twice the TTL, whether it has taken what its successor
// owns: 1 if so.
func (o *owners) usurps(ctx context.Context, former *rig.Proc, successor ownerView) (int, error) {
	for begin := time.Now(); time.Since(begin) < 2*failoverTTL; {
		v, err := o.owner(ctx, former, 0)
		if err != nil {
			return 0, err
		}
		if v.Held || v.Token != successor.Token {
			return 1, nil
		}
		if err := retry.Sleep(ctx, 5*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// handOverProof ends owners in order while somebody writes all the time.
func handOverProof(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	o, err := newOwners(ctx, g, ownersSpec{ttl: 3 * time.Second, shards: 1})
	if err != nil {
		return err
	}
	count := 50
	if r.Quick {
		count = 5
	}
	var took, waits, between hist.Histogram
	for range count {
		d, w, err := o.handOverWithWriter(ctx)
		if err != nil {
			return err
		}
		took.Record(d)
		waits.Record(w.across())
		between.Record(w.longest)
	}
	r.Claim(proof.AtMost(fmt.Sprintf("SIGTERM of the owner to the next owner, longest of %d", count), milliseconds(took.Max()), 200, "ms"))
	r.Measured("the same, median", milliseconds(took.Quantile(0.5)), "ms")
	r.Claim(proof.AtMost(fmt.Sprintf("a writer at a replica that stays: from its last entry by the former owner to its first by the next, longest of %d", count), milliseconds(waits.Max()), 200, "ms"))
	r.Measured("the same, median", milliseconds(waits.Quantile(0.5)), "ms")
	r.Measured("longest time between any two of its entries, also while nothing is handed over and while the former owner starts again", milliseconds(between.Max()), "ms")
	return nil
}

// writes is what a writer that never stops has seen of a hand-over.
type writes struct {
	before, after time.Time     // when its last entry by the former owner was answered, and its first by the next one
	longest       time.Duration // between any two entries
}

// across is how long the hand-over has kept it waiting.
func (w writes) across() time.Duration { return w.after.Sub(w.before) }

// handOverWithWriter also tells what a writer sees that asks a replica which stays.
func (o *owners) handOverWithWriter(ctx context.Context) (took time.Duration, w writes, err error) {
	now, owner, err := o.acting(ctx, 0)
	if err != nil {
		return 0, w, err
	}
	i, _, err := o.replica(owner.Spec.Name)
	if err != nil {
		return 0, w, err
	}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	wrote := make(chan error, 1)
	go func() {
		wrote <- o.write(writing, o.other(i), fmt.Sprintf("%s-%d", owner.Spec.Name, now.Token), now.Token, &w)
	}()
	took, err = o.handOver(ctx)
	stop()
	return took, w, errors.Join(err, <-wrote)
}

// write writes until ctx ends, and until it has entries of two owners: one with a token, and its successor.
func (o *owners) write(ctx context.Context, at *rig.Proc, prefix string, token uint64, w *writes) error {
	asking := context.WithoutCancel(ctx) // each request has a bound of its own
	last := time.Now()
	giveUp := last.Add(time.Minute)
	for n := 0; ctx.Err() == nil || w.before.IsZero() || w.after.IsZero(); n++ {
		e, what, err := o.post(asking, at, fmt.Sprintf("%s-%d", prefix, n), "hand-over", 1)
		if err != nil {
			return err
		}
		answered := time.Now()
		if answered.After(giveUp) {
			return fmt.Errorf("a writer has no entries of two owners: %+v", *w)
		}
		if what != recorded {
			continue
		}
		w.longest = max(w.longest, answered.Sub(last))
		last = answered
		switch {
		case e.Token <= token:
			w.before = answered
		case w.after.IsZero():
			w.after = answered
		}
	}
	return nil
}
