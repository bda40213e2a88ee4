package chaos_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/loadtest/chaos"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = 30 * time.Second

func nothing(context.Context) error { return nil }

func TestStepsWaitForTheirEventsInWhateverOrderTheyAreWritten(t *testing.T) {
	e := chaos.NewEvents(t.Logf)
	err := e.Play(t.Context(), limit,
		chaos.Step{Name: "c", After: []string{"a", "b"}, Do: nothing},
		chaos.Step{Name: "b", After: []string{"a"}, Do: nothing},
		chaos.Step{Name: "a", After: []string{"begin"}, Do: nothing},
		chaos.Step{Name: "starter", Do: func(context.Context) error { e.Happened("begin"); e.Happened("begin"); return nil }})
	var order []string
	for _, name := range e.Order() {
		if name != "starter" { // at any time after the beginning
			order = append(order, name)
		}
	}
	if err != nil || !slices.Equal(order, []string{"begin", "a", "b", "c"}) {
		t.Errorf("%v, %v", e.Order(), err)
	}
}

func TestAFailedStepEndsTheScriptAndSaysWhereItWas(t *testing.T) {
	e := chaos.NewEvents(t.Logf)
	broken := errors.New("the lock is gone")
	err := e.Play(t.Context(), limit,
		chaos.Step{Name: "a", Do: nothing},
		chaos.Step{Name: "b", After: []string{"a"}, Do: func(context.Context) error { return broken }},
		chaos.Step{Name: "c", After: []string{"b"}, Do: nothing})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), `step "b"`) || !strings.Contains(err.Error(), "so far: a") {
		t.Errorf("%v", err)
	}
}

func TestAnEventThatNeverHappensIsNamed(t *testing.T) {
	e := chaos.NewEvents(t.Logf)
	err := e.Play(t.Context(), 10*time.Millisecond, chaos.Step{Name: "a", After: []string{"doomsday"}, Do: nothing})
	if !errors.Is(err, chaos.ErrStuck) || !strings.Contains(err.Error(), `"doomsday"`) {
		t.Errorf("%v", err)
	}
}

// draws is a Random of faults that only count.
func draws(seed uint64, begun, ended *atomic.Int64) chaos.Random {
	begin := func(context.Context, string) (func(context.Context) error, error) {
		begun.Add(1)
		return func(ctx context.Context) error { ended.Add(1); return ctx.Err() }, nil
	}
	span := chaos.Span{Min: time.Microsecond, Max: time.Millisecond}
	return chaos.Random{Seed: seed, Lasts: span, Rests: span, Log: func(string, ...any) {},
		Faults: []chaos.Fault{{Name: "pause", Victims: []string{"a", "b", "c"}, Begin: begin}, {Name: "kill", Victims: []string{"a", "b"}, Begin: begin}}}
}

func TestASeedIsAPlan(t *testing.T) {
	var n atomic.Int64
	one, again, other := draws(7, &n, &n).Plan(50), draws(7, &n, &n).Plan(50), draws(8, &n, &n).Plan(50)
	if !reflect.DeepEqual(one, again) || reflect.DeepEqual(one, other) {
		t.Error("the seed does not decide the plan")
	}
	if !reflect.DeepEqual(one[:20], draws(7, &n, &n).Plan(20)) {
		t.Error("a shorter plan is not the beginning of the longer one")
	}
	seen := map[string]bool{}
	for _, r := range one {
		seen[r.Victim] = true
		if r.Fault == 1 && r.Victim == "c" || r.Lasts < time.Microsecond || r.Lasts > time.Millisecond || r.Rest < time.Microsecond {
			t.Errorf("%+v", r)
		}
	}
	if len(seen) != 3 {
		t.Errorf("victims %v", seen)
	}
}

func TestWhatWasBegunIsEnded(t *testing.T) {
	var begun, ended atomic.Int64
	var happened []chaos.Round
	c := draws(1, &begun, &ended)
	err := c.Run(t.Context(), 10, func(ctx context.Context, r chaos.Round, fault func(context.Context) error) error {
		happened = append(happened, r)
		err := fault(ctx)
		if n := int64(len(happened)); begun.Load() != n || ended.Load() != n {
			t.Errorf("round %d: %d begun, %d ended", n, begun.Load(), ended.Load())
		}
		return err
	})
	if err != nil || !reflect.DeepEqual(happened, c.Plan(10)) {
		t.Errorf("%v, %v", happened, err)
	}
}

func TestAlsoWhenTheRunIsBrokenOff(t *testing.T) {
	var begun, ended atomic.Int64
	c := draws(1, &begun, &ended)
	c.Lasts = chaos.Span{Min: time.Hour, Max: time.Hour}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begin := c.Faults[0].Begin
	for i := range c.Faults {
		c.Faults[i].Begin = func(ctx context.Context, v string) (func(context.Context) error, error) {
			cancel()
			return begin(ctx, v)
		}
	}
	err := c.Run(ctx, 10, func(ctx context.Context, _ chaos.Round, fault func(context.Context) error) error { return fault(ctx) })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "round 1 of seed 1") || ended.Load() != 1 {
		t.Errorf("%v, %d ended", err, ended.Load())
	}
}
