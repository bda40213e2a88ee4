package experiments

import (
	"context"
	"errors"
	"fmt"
	"time"

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
		if err := pause(ctx, 5*time.Millisecond); err != nil {
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
	var took, waits hist.Histogram
	for range count {
		d, longest, err := o.handOverWithWriter(ctx)
		if err != nil {
			return err
		}
		took.Record(d)
		waits.Record(longest)
	}
	r.Claim(proof.AtMost(fmt.Sprintf("SIGTERM of the owner to the next owner, longest of %d", count), milliseconds(took.Max()), 200, "ms"))
	r.Measured("the same, median", milliseconds(took.Quantile(0.5)), "ms")
	r.Claim(proof.AtMost(fmt.Sprintf("longest time between two entries of a writer at a replica that stays, of %d", count), milliseconds(waits.Max()), 200, "ms"))
	r.Measured("the same, median of the longest in each hand-over", milliseconds(waits.Quantile(0.5)), "ms")
	return nil
}

// handOverWithWriter also returns the longest time between two entries of a writer that
// asks a replica which stays.
func (o *owners) handOverWithWriter(ctx context.Context) (took, longest time.Duration, err error) {
	_, owner, err := o.acting(ctx, 0)
	if err != nil {
		return 0, 0, err
	}
	i, _, err := o.replica(owner.Spec.Name)
	if err != nil {
		return 0, 0, err
	}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	wrote := make(chan error, 1)
	go func() {
		last := time.Now()
		for n := 0; writing.Err() == nil; n++ {
			_, what, err := o.post(ctx, o.other(i), fmt.Sprintf("%s-%d", owner.Spec.Name, last.UnixNano()), "hand-over", 1)
			if err != nil {
				wrote <- err
				return
			}
			if what == recorded {
				longest = max(longest, time.Since(last))
				last = time.Now()
			}
		}
		wrote <- nil
	}()
	took, err = o.handOver(ctx)
	stop()
	return took, longest, errors.Join(err, <-wrote)
}
