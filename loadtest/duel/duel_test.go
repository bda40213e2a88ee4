package duel_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/duel"
)

// script plays samples and writes down the order in which sides were asked.
func script(name string, order *strings.Builder, samples ...duel.Sample) duel.Side {
	n := 0
	return duel.Side{Name: name, Round: func(context.Context) (duel.Sample, error) {
		order.WriteString(name)
		n++
		return samples[min(n, len(samples))-1], nil
	}}
}

func ops(n uint64) duel.Sample {
	return duel.Sample{Ops: n, Took: time.Second, CPU: time.Second / 2}
}

func TestSidesAlternateForwardsAndBackwards(t *testing.T) {
	var order strings.Builder
	got, err := duel.Run(t.Context(), duel.Options{}, script("a", &order, ops(10)), script("b", &order, ops(5)))
	if err != nil {
		t.Fatal(err)
	}
	if order.String() != "abbaabbaab" {
		t.Errorf("asked in the order %s", &order)
	}
	if got[0].Rate() != 10 || got[1].Rate() != 5 || got[0].CPUPerOp() != 50*time.Millisecond || got[0].Busy() != 0.5 {
		t.Errorf("%+v", got)
	}
}

func TestTheMedianForgetsOneBadRound(t *testing.T) {
	var order strings.Builder
	got, err := duel.Run(t.Context(), duel.Options{}, script("a", &order, ops(100), ops(3), ops(102), ops(101), ops(99)))
	if err != nil {
		t.Fatal(err)
	}
	if lowest, highest := got[0].Spread(); got[0].Rate() != 100 || lowest != 3 || highest != 102 {
		t.Errorf("%v of %v–%v", got[0].Rate(), lowest, highest)
	}
}

func TestARoundWithErrorAnswersIsVoidForAllSidesAndRepeated(t *testing.T) {
	var order strings.Builder
	bad := duel.Sample{Ops: 1e6, Errors: 1, Took: time.Second}
	got, err := duel.Run(t.Context(), duel.Options{Rounds: 2}, script("a", &order, ops(1)), script("b", &order, bad, ops(2)))
	if err != nil {
		t.Fatal(err)
	}
	if got[1].Rate() != 2 || got[0].Void != 1 || len(got[0].Rounds) != 2 || len(got[1].Rounds) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestASideThatOnlyErrsEndsTheComparison(t *testing.T) {
	var order strings.Builder
	_, err := duel.Run(t.Context(), duel.Options{Rounds: 2}, script("a", &order, duel.Sample{Errors: 7, Remarks: []string{"status 503"}}))
	if err == nil || !strings.Contains(err.Error(), "status 503") {
		t.Errorf("%v", err)
	}
}

func TestAToolThatCannotRunEndsTheComparison(t *testing.T) {
	broken := errors.New("no such program")
	_, err := duel.Run(t.Context(), duel.Options{}, duel.Side{Name: "a", Round: func(context.Context) (duel.Sample, error) { return duel.Sample{}, broken }})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
