package openloop_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server that stands still for a second delays the requests of that second: a
// closed loop would have seen one slow answer.
func TestAStandstillIsPaidByEveryRequestThatWasDueInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		standstill := begin.Add(time.Second)
		result := openloop.Load{Rate: 100, Duration: 3 * time.Second, Send: func(context.Context, int) openloop.Answer {
			if at := time.Now(); !at.Before(standstill) && at.Before(standstill.Add(time.Second)) {
				time.Sleep(time.Until(standstill.Add(time.Second)))
			}
			return openloop.Answer{Status: 200, ServedBy: "a"}
		}}.Run(t.Context())
		if result.Sent != 300 || result.Good != 300 || result.ByServer["a"] != 300 {
			t.Fatalf("%+v", result)
		}
		// 100 of 300 requests waited 10 ms to 1 s: the median is nothing, nine in ten is 0.7 s.
		if p50, p90 := result.Latency.Quantile(0.5), result.Latency.Quantile(0.9); p50 != 0 || p90 < 690*time.Millisecond || p90 > 720*time.Millisecond {
			t.Errorf("median %v, p90 %v", p50, p90)
		}
		if len(result.Timeline) != 3 || result.Timeline[1].Latency.Max() != time.Second || result.Timeline[2].Latency.Max() != 0 {
			t.Errorf("timeline: %v", result.Timeline)
		}
	})
}

func TestFailuresAreCountedByReasonAndPlacedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result := openloop.Load{Rate: 10, Duration: time.Second, Timeout: 50 * time.Millisecond, Send: func(ctx context.Context, n int) openloop.Answer {
			switch n {
			case 3:
				return openloop.Answer{Err: errors.New("connection refused")}
			case 4:
				return openloop.Answer{Status: 503}
			case 6:
				<-ctx.Done()
				return openloop.Answer{Err: ctx.Err()}
			}
			return openloop.Answer{Status: 200}
		}}.Run(t.Context())
		if result.Failed != 3 || result.Good != 7 || result.FirstFailure != 300*time.Millisecond || result.LastFailure != 600*time.Millisecond {
			t.Errorf("%+v", result)
		}
		for _, reason := range []string{"connection refused", "status 503", "no answer in time"} {
			if result.Reasons[reason] != 1 {
				t.Errorf("%q: %d, of %v", reason, result.Reasons[reason], result.Reasons)
			}
		}
	})
}

func TestMoreThanTheBoundInFlightIsShedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		result := openloop.Load{Rate: 10, Duration: time.Second, MaxInFlight: 4, Send: func(context.Context, int) openloop.Answer {
			time.Sleep(5 * time.Second)
			return openloop.Answer{Status: 200}
		}}.Run(t.Context())
		if result.Sent != 10 || result.Good != 4 || result.Failed != 6 {
			t.Errorf("sent %d, good %d, failed %d", result.Sent, result.Good, result.Failed)
		}
	})
}

func TestTheEndOfTheContextEndsArrivalsAndWaitsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 950*time.Millisecond)
		defer cancel()
		result := openloop.Load{Rate: 10, Send: func(ctx context.Context, _ int) openloop.Answer {
			time.Sleep(200 * time.Millisecond)
			return openloop.Answer{Status: 200, Err: ctx.Err()}
		}}.Run(ctx)
		if result.Sent != 10 || result.Good != 10 {
			t.Errorf("sent %d, good %d: %v", result.Sent, result.Good, result.Reasons)
		}
	})
}
