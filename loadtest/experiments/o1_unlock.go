package experiments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chaos"
	"github.com/flotilla-dev/flotilla/loadtest/linear"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// unlock plays one script with both variants. The owner is paused until another one has
// the lock; then it wakes, sees that it stood still for too long, and tidies up.
func unlock(ctx context.Context, r *proof.Report) error {
	rounds := r.Rounds()
	if r.Quick {
		rounds = 2 // "in every run" is not shown by one
	}
	wrong, right := 0, 0
	for range rounds {
		err := unlockOnce(ctx, r, map[string]string{"OWNERSHIP_LESSON": "unlock-without-version"})
		switch {
		case errors.Is(err, linear.ErrViolation):
			wrong++
		case err != nil:
			return fmt.Errorf("without version: %w", err)
		}
		err = unlockOnce(ctx, r, nil)
		switch {
		case errors.Is(err, linear.ErrViolation):
			right++
			r.Log("%v", err)
		case err != nil:
			return fmt.Errorf("with version: %w", err)
		}
	}
	r.Claim(proof.Exactly("runs in which two had the lock at once by an unlock without version, by the checker", wrong, rounds, fmt.Sprintf("of %d", rounds)))
	r.Claim(proof.Exactly("runs in which two had it by an unlock with version", right, 0, fmt.Sprintf("of %d", rounds)))
	return nil
}

// unlockTTL is long enough for the script's end to happen within the second owner's lease.
const unlockTTL = 5 * time.Second

// unlockOnce returns what the checker says.
func unlockOnce(ctx context.Context, r *proof.Report, env map[string]string) error {
	g := rig.New(r)
	defer g.Close()
	o, err := newOwners(ctx, g, ownersSpec{ttl: unlockTTL, shards: 1, replica: env})
	if err != nil {
		return err
	}
	s := &unlockScript{o: o, rec: linear.NewRecorder(linear.Mutex), events: chaos.NewEvents(r.Log)}
	if err := s.play(ctx, len(env) > 0); err != nil {
		return err
	}
	h, err := s.rec.History()
	if err != nil {
		return err
	}
	var c linear.Checker
	if len(env) > 0 {
		c.Dir = r.Dir // it is expected: nobody needs it afterwards
	}
	return c.Check(h)
}

type unlockScript struct {
	o      *owners
	rec    *linear.Recorder
	events *chaos.Events
	first  ownerView
	second ownerView
}

func (s *unlockScript) play(ctx context.Context, wrong bool) error {
	last := chaos.Step{Name: "the second still has it", After: []string{"the first tidies up"}, Do: s.secondHasIt}
	if wrong {
		last = chaos.Step{Name: "a third has it", After: []string{"the first tidies up"}, Do: func(ctx context.Context) error {
			_, err := s.acquired(ctx, s.second.Token)
			return err
		}}
	}
	return s.events.Play(ctx, time.Minute,
		chaos.Step{Name: "the first has the lock", Do: func(ctx context.Context) (err error) {
			s.first, err = s.acquired(ctx, 0)
			_, _, known := s.o.acting(ctx, 0)
			return errors.Join(err, known)
		}},
		chaos.Step{Name: "the first is paused", After: []string{"the first has the lock"}, Do: func(ctx context.Context) error {
			_, p, err := s.o.replica(s.first.Owner)
			return errors.Join(err, p.Pause(ctx))
		}},
		chaos.Step{Name: "the second has the lock", After: []string{"the first is paused"}, Do: func(ctx context.Context) (err error) {
			s.second, err = s.acquired(ctx, s.first.Token)
			return err
		}},
		chaos.Step{Name: "the first tidies up", After: []string{"the second has the lock"}, Do: s.tidyUp},
		last,
	)
}

// listener is a replica that is asked: never the first owner, which may be paused.
func (s *unlockScript) listener() *rig.Proc {
	i, _, err := s.o.replica(s.first.Owner)
	if err != nil {
		return s.o.replicas[0] // nobody has had it yet
	}
	return s.o.other(i)
}

// acquired waits for an owner with a larger token, and records that it acquired the lock
// between the last answer without it and the first one with it. Its lease may
// end by itself a TTL after that, if it is not renewed; that of the first one, which began before anything was recorded, earlier.
func (s *unlockScript) acquired(ctx context.Context, than uint64) (v ownerView, err error) {
	before := s.rec.Begin(linear.Operation{Key: "shard-0", Do: linear.Acquire})
	err = until(ctx, fmt.Sprintf("there is an owner after token %d", than), func() (bool, error) {
		asked := s.rec.Begin(before.Op)
		v, err = s.o.owner(ctx, s.listener(), 0)
		if err == nil && v.Owner != "" && v.Token > than && v.TTLLeft != nil {
			asked.Void()
			return true, nil
		}
		before.Void()
		before = asked
		return false, nil
	})
	if err != nil {
		before.Void()
		return v, err
	}
	before.Op.Grant = grantOf(v)
	before.OK()
	ttl := unlockTTL
	if than == 0 {
		// Nobody saw when it began: only what the store says is left of it is known.
		ttl = time.Duration(*v.TTLLeft) * time.Millisecond
	}
	s.rec.Expires(before, ttl)
	return v, nil
}

func grantOf(v ownerView) string { return fmt.Sprintf("%s, token %d", v.Owner, v.Token) }

// tidyUp lets the first owner go on, until it has given back what it thinks is its own.
func (s *unlockScript) tidyUp(ctx context.Context) error {
	_, p, err := s.o.replica(s.first.Owner)
	if err != nil {
		return err
	}
	release := s.rec.Begin(linear.Operation{Key: "shard-0", Do: linear.Release, Grant: grantOf(s.first)})
	defer release.Unknown() // it does not tell
	if err := p.Resume(); err != nil {
		return err
	}
	return p.AwaitLog(ctx, "does not own a shard any more")
}

// secondHasIt looks again.
func (s *unlockScript) secondHasIt(ctx context.Context) error {
	hold := s.rec.Begin(linear.Operation{Key: "shard-0", Do: linear.Hold, Grant: grantOf(s.second)})
	v, err := s.o.owner(ctx, s.listener(), 0)
	if err != nil || v.Token != s.second.Token {
		hold.Refused()
		return err
	}
	hold.OK()
	return nil
}
