package experiments

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/cable"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// storeAway takes the store away in two ways: it is killed, and it is silent.
func storeAway(ctx context.Context, r *proof.Report) error {
	away := r.Span(30*time.Second, 5*time.Second)
	for _, way := range []struct {
		name        string
		take, bring func(ctx context.Context, o *owners) error
	}{
		{"killed", func(_ context.Context, o *owners) error { o.etcd.Kill(); return nil }, func(ctx context.Context, o *owners) error { return o.etcd.Restart(ctx) }},
		{"silent", silentStore, mendStore},
	} {
		if err := withoutStore(ctx, r, "store "+way.name, away, way.take, way.bring); err != nil {
			return fmt.Errorf("store %s: %w", way.name, err)
		}
	}
	return nil
}

func silentStore(_ context.Context, o *owners) error {
	for _, c := range o.toStore {
		c.Silence(cable.Both)
	}
	return nil
}

func mendStore(_ context.Context, o *owners) error {
	for _, c := range o.toStore {
		c.Mend()
	}
	return nil
}

// actions are what owners did, by their own word, after a moment.
type actions struct {
	accepted, claimed, asked atomic.Int64
}

// withoutStore counts who acts once every lease must have ended: a TTL after the last
// renewal that the store can have heard of.
func withoutStore(ctx context.Context, r *proof.Report, name string, away time.Duration, take, bring func(context.Context, *owners) error) error {
	g := rig.New(r)
	defer g.Close()
	o, err := newOwners(ctx, g, ownersSpec{ttl: failoverTTL, shards: 1})
	if err != nil {
		return err
	}
	before, _, err := o.acting(ctx, 0)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := take(ctx, o); err != nil {
		return err
	}
	gone := time.Now()
	acts, last, err := o.watchActions(ctx, gone, away)
	if err != nil {
		return err
	}
	r.Claim(proof.Exactly(name+": entries recorded that were sent later than a TTL after it went", int(acts.accepted.Load()), 0, fmt.Sprintf("of %d", acts.asked.Load())))
	r.Claim(proof.Exactly(name+": answers in which a replica then said that it owns the shard", int(acts.claimed.Load()), 0, fmt.Sprintf("of %d", acts.asked.Load())))
	r.Measured(name+": last entry recorded after it went", milliseconds(last.Sub(begin)), "ms")
	back := time.Now()
	if err := bring(ctx, o); err != nil {
		return err
	}
	there := time.Now()
	if err := o.settled(ctx); err != nil {
		return err
	}
	r.Measured(name+": until it was back itself", milliseconds(there.Sub(back)), "ms")
	r.Measured(name+": from then until every replica records again", milliseconds(time.Since(there)), "ms")
	after, _, err := o.acting(ctx, 0)
	if err != nil {
		return err
	}
	r.Claim(proof.That(name+": it recovers by itself", "an owner with a larger token", fmt.Sprintf("token %d before, %d after", before.Token, after.Token), after.Token > before.Token))
	return nil
}

// watchActions sends entries to every replica and asks each whether it owns the shard,
// until the time is over. What was sent after every lease must have ended counts.
func (o *owners) watchActions(ctx context.Context, gone time.Time, away time.Duration) (*actions, time.Time, error) {
	ctx, cancel := context.WithDeadline(ctx, gone.Add(away))
	defer cancel()
	acts := &actions{}
	var mu sync.Mutex // guards last and failed
	last := gone
	var failed error
	var wg sync.WaitGroup
	for i, p := range o.replicas {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				sent, done, err := o.act(ctx, p, fmt.Sprintf("away-%d-%d", i, n), sentAfter(gone), acts)
				mu.Lock()
				if done && sent.After(last) {
					last = sent
				}
				if err != nil && ctx.Err() == nil {
					failed = err
				}
				mu.Unlock()
				if retry.Sleep(ctx, 20*time.Millisecond) != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return acts, last, failed
}

// sentAfter tells whether what is sent now is sent when every lease must have ended.
func sentAfter(gone time.Time) func() bool {
	return func() bool { return time.Since(gone) > failoverTTL }
}

// act asks and sends, and counts what is too late.
func (o *owners) act(ctx context.Context, p *rig.Proc, id string, late func() bool, acts *actions) (sent time.Time, done bool, err error) {
	tooLate := late()
	if tooLate {
		acts.asked.Add(1)
	}
	v, err := o.owner(ctx, p, 0)
	if err != nil {
		return sent, false, err
	}
	if v.Held && tooLate {
		acts.claimed.Add(1)
	}
	tooLate = late()
	sent = time.Now()
	_, what, err := o.post(ctx, p, id, "away", 1)
	if what == recorded && tooLate {
		acts.accepted.Add(1)
	}
	return sent, what == recorded, err
}
