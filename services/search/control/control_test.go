package control

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/kafkatest"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

func TestMain(m *testing.M) { kafkatest.Main(m) }

var (
	now  = Layout{"documents", "modulo", 3}
	next = Layout{"documents-5", "jump", 5}
)

// at is a state of a phase.
func at(version int64, p Phase) State {
	s := State{Version: version, Phase: p, Serving: now}
	if p == Copying || p == Sealing || p == Sealed {
		s.Next = &next
	}
	return s
}

func record(t *testing.T, s State) doclog.Record {
	t.Helper()
	value, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return doclog.Controlled("x", value)
}

func TestOfStatesWithOneNumberTheFirstCounts(t *testing.T) {
	first, second := at(1, Copying), at(1, Copying)
	first.Driver, second.Driver = "a", "b"
	s, wrong := fold(State{}, record(t, first))
	if wrong != nil || s.Driver != "a" {
		t.Fatalf("%+v %v", s, wrong)
	}
	for name, void := range map[string]doclog.Record{"the second": record(t, second), "a gap": record(t, at(3, Sealing)), "a leap": record(t, at(2, Sealed)),
		"nonsense": doclog.Controlled("x", []byte("[")), "a document": doclog.Delete("x"), "no next": record(t, State{Version: 2, Phase: Sealing, Serving: now})} {
		if after, wrong := fold(s, void); wrong == nil || after.Driver != "a" || after.Version != 1 {
			t.Errorf("%s is not void: %+v", name, after)
		}
	}
}

func TestThereIsNoWayBackFromASeal(t *testing.T) {
	for _, c := range []struct {
		from, to Phase
		may      bool
	}{{Copying, Serving, true}, {Sealing, Serving, true}, {Sealed, Serving, false}, {Sealed, Copying, false}, {Switched, Serving, true}, {Sealing, Copying, false},
		{Copying, Sealed, false}, {Sealed, Sealed, true}, {Copying, Switched, false}} {
		if err := at(2, c.to).follows(at(1, c.from)); (err == nil) != c.may {
			t.Errorf("%s behind %s: %v", c.to, c.from, err)
		}
	}
}

// A root may write only for a lease behind its last look that found the log open, whatever it hears later.
func TestWhoHasNotLookedForALeaseDoesNotWrite(t *testing.T) {
	clock := time.Unix(1000, 0)
	v := NewView(nil, nil)
	v.now = func() time.Time { return clock }
	writable := func(topic string, want bool, when string) {
		t.Helper()
		if v.Writable(topic, "documents") != want {
			t.Errorf("%s: writable to %s is %v", when, topic, !want)
		}
	}
	writable("documents", false, "before anything is known")
	v.take(doclog.Batch{Next: 0, End: 1}, clock)
	writable("documents", false, "before the end was seen")
	v.take(doclog.Batch{}, clock)
	writable("documents", true, "no step was ever taken")
	writable("documents-5", false, "no step was ever taken")
	clock = clock.Add(Lease)
	writable("documents", false, "a lease later")
	v.take(doclog.Batch{}, clock.Add(-Lease)) // the answer took as long
	writable("documents", false, "with an answer of a lease ago")
	v.take(doclog.Batch{Records: []doclog.Record{record(t, at(1, Copying))}}, clock)
	writable("documents", true, "while it is copied")
	clock = clock.Add(Lease / 2)
	v.take(doclog.Batch{Records: []doclog.Record{record(t, at(2, Sealing))}}, clock)
	writable("documents", true, "sealing is announced, and nobody seals before a lease is over")
	clock = clock.Add(Lease/2 - 1)
	writable("documents", true, "just before the end of the lease")
	clock = clock.Add(1)
	writable("documents", false, "at its end")
	v.take(doclog.Batch{}, clock)
	writable("documents", false, "looking again opens nothing")
	v.take(doclog.Batch{Records: []doclog.Record{record(t, at(3, Sealed))}}, clock)
	s := at(3, Sealed).Switch([]int64{1, 2, 3, 4, 5})
	s.Version = 4
	v.take(doclog.Batch{Records: []doclog.Record{record(t, s)}}, clock)
	writable("documents", false, "behind the switch")
	writable("documents-5", true, "behind the switch")
}

// What was heard is of the time at which it was asked for, also where nothing may be written.
func TestAViewKnowsForHowLongItHasHeardNothing(t *testing.T) {
	clock := time.Unix(1000, 0)
	v := NewView(nil, nil)
	v.now = func() time.Time { return clock }
	heard := func(want bool, when string) {
		t.Helper()
		if v.Heard(Lease) != want {
			t.Errorf("%s: heard is %v", when, !want)
		}
	}
	heard(false, "before anything is known")
	v.take(doclog.Batch{Records: []doclog.Record{record(t, at(1, Copying))}, Next: 1, End: 2}, clock)
	heard(false, "before the end was seen")
	v.take(doclog.Batch{Records: []doclog.Record{record(t, at(2, Sealing))}, Next: 2, End: 2}, clock)
	clock = clock.Add(Lease)
	heard(true, "a lease later")
	clock = clock.Add(1)
	heard(false, "behind it")
	v.take(doclog.Batch{Next: 2, End: 3}, clock)
	heard(false, "with a part of the log")
	v.take(doclog.Batch{Next: 3, End: 3}, clock.Add(-2*Lease))
	heard(false, "with an answer that took longer")
	v.take(doclog.Batch{Next: 3, End: 3}, clock)
	heard(true, "with an answer")
}

func TestOfTwoDriversOneTakesTheStep(t *testing.T) {
	kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
		ctx, cancel := context.WithTimeout(t.Context(), await.Limit)
		defer cancel()
		const drivers = 4
		won := make([]error, drivers)
		var all sync.WaitGroup
		for i := range drivers {
			c, err := Open(ctx, doclog.Options{Brokers: []string{b.Addr}, Topic: "control"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() }) // the test is over
			all.Go(func() {
				_, won[i] = (&Log{Cluster: c, Driver: Lot()}).Propose(ctx, State{}, at(0, Copying))
			})
		}
		all.Wait()
		winners := 0
		for _, err := range won {
			if err == nil {
				winners++
			} else if !errors.Is(err, ErrTaken) {
				t.Error(err)
			}
		}
		if winners != 1 {
			t.Errorf("%d of %d drivers have taken the step: %v", winners, drivers, won)
		}
	})
}

func TestAStepThatCannotBeIsNotWritten(t *testing.T) {
	l := &Log{Driver: "a"}
	if _, err := l.Propose(t.Context(), at(1, Sealed), at(0, Serving)); err == nil || !strings.Contains(err.Error(), "serving") {
		t.Errorf("%v", err)
	}
}
