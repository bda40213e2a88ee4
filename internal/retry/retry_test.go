package retry_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caarlos0/env/v11"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// granted counts the retries that a budget allows of n.
func granted(b *retry.Budget, n int) int {
	allowed := 0
	for range n {
		if b.Retry() {
			allowed++
		}
	}
	return allowed
}

func TestNoBudgetAllowsNothing(t *testing.T) {
	var none *retry.Budget
	none.Request()
	zero := retry.NewBudget(retry.BudgetConfig{})
	negative := retry.NewBudget(retry.BudgetConfig{Share: -1, MinPerSecond: -1, Burst: -1})
	for _, b := range []*retry.Budget{none, zero, negative} {
		b.Request()
		if b.Retry() {
			t.Errorf("%v allowed a retry", b)
		}
	}
	if allowed, refused := zero.Counts(); allowed != 0 || refused != 1 {
		t.Errorf("counts %d, %d", allowed, refused)
	}
}

func TestBudgetArithmetic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.NewBudget(retry.BudgetConfig{Share: 0.2, MinPerSecond: 5, Burst: 100})
		if n := granted(b, 1000); n != 50 {
			t.Errorf("a new budget allows %d, want ten seconds of 5", n)
		}
		for range 50 {
			b.Request()
		}
		if n := granted(b, 1000); n != 10 {
			t.Errorf("50 requests earned %d retries, want 10", n)
		}
		time.Sleep(2 * time.Second)
		if n := granted(b, 1000); n != 10 {
			t.Errorf("2 s earned %d retries, want 10", n)
		}
		time.Sleep(24 * time.Hour)
		for range 10_000 {
			b.Request()
		}
		if n := granted(b, 1000); n != 100 {
			t.Errorf("%d retries saved up, want Burst", n)
		}
	})
}

// Everything fails and everybody retries as often as he may: the load grows by
// the share and not by the number of attempts.
func TestBudgetBoundsTheStorm(t *testing.T) {
	b := retry.NewBudget(retry.BudgetConfig{Share: 0.2, Burst: 100})
	var retries atomic.Int64
	var all sync.WaitGroup
	const callers, each = 8, 1000
	for range callers {
		all.Go(func() {
			for range each {
				b.Request()
				for range 2 { // three attempts
					if b.Retry() {
						retries.Add(1)
					}
				}
			}
		})
	}
	all.Wait()
	if n, most := retries.Load(), int64(callers*each/5); n > most || n < most*9/10 {
		t.Errorf("%d retries of %d requests, want about %d and no more", n, callers*each, most)
	}
}

func TestBudgetDoesNotAllocate(t *testing.T) {
	b := retry.DefaultSettings().Budget()
	if n := testing.AllocsPerRun(100, func() { b.Request(); b.Retry() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDelayIsFullJitter(t *testing.T) {
	for random, want := range map[float64][]time.Duration{
		0:   {0, 0, 0, 0, 0, 0},
		0.5: {5, 10, 20, 40, 50, 50}, // half of 10, 20, 40, 80 and then of Max
	} {
		b := retry.Backoff{Base: 10, Max: 100, Rand: func() float64 { return random }}
		for n, d := range want {
			if got := b.Delay(n); got != d {
				t.Errorf("random %v: delay %d is %d, want %d", random, n, got, d)
			}
		}
	}
	if d := (retry.Backoff{}).Delay(3); d != 0 {
		t.Errorf("zero value waits %s", d)
	}
	huge := retry.Backoff{Base: time.Hour, Max: math.MaxInt64, Rand: func() float64 { return 0.99 }}
	if d := huge.Delay(1000); d <= 0 {
		t.Errorf("delay overflowed to %s", d)
	}
	var sum time.Duration
	spread := retry.Backoff{Base: time.Second, Max: time.Second}
	for range 10_000 {
		sum += spread.Delay(0)
	}
	if mean := sum / 10_000; mean < 480*time.Millisecond || mean > 520*time.Millisecond {
		t.Errorf("mean delay %s, want about half the bound", mean)
	}
}

func TestIdempotentMethods(t *testing.T) {
	for method, want := range map[string]bool{
		"": true, "GET": true, "HEAD": true, "PUT": true, "DELETE": true, "OPTIONS": true, "TRACE": true,
		"POST": false, "PATCH": false, "CONNECT": false, "get": false, "PURGE": false,
	} {
		if retry.Idempotent(method) != want {
			t.Errorf("%q: %v", method, !want)
		}
	}
}

func TestRetryAfterValues(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0": 0, " 7 ": 7 * time.Second, "99999999999999999": retry.MaxRetryAfter,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
		now.AddDate(9, 0, 0).Format(http.TimeFormat):  retry.MaxRetryAfter,
	} {
		if got, ok := retry.ParseRetryAfter(value, now); !ok || got != want {
			t.Errorf("%q: %s, %v, want %s", value, got, ok, want)
		}
	}
	for _, value := range []string{"", "soon", "-1", "1.5", "1 2", "99999999999999999999999"} {
		if got, ok := retry.ParseRetryAfter(value, now); ok {
			t.Errorf("%q was read as %s", value, got)
		}
	}
}

func TestSettingsHaveTheDefaultsOfTheirTags(t *testing.T) {
	var s retry.Settings
	if err := env.ParseWithOptions(&s, env.Options{Environment: map[string]string{}}); err != nil || s != retry.DefaultSettings() {
		t.Errorf("%+v, %v", s, err)
	}
	if b := s.Backoff(); b.Base != s.RetryBase || b.Max != s.RetryMax {
		t.Errorf("%+v", b)
	}
}

func TestWrongLimitsAreNamed(t *testing.T) {
	if wrong := retry.DefaultSettings().Problems(); len(wrong) > 0 {
		t.Error(wrong)
	}
	wrong := retry.Limits{RetryAttempts: 9, RetryShare: -1, RetryMinPerSecond: math.NaN(), RetryBurst: math.Inf(1)}.Problems()
	for _, want := range []string{"RETRY_ATTEMPTS: 9 is not valid: want 1 to 8", "RETRY_SHARE: -1", "RETRY_MIN_PER_SECOND: NaN", "RETRY_BURST: +Inf"} {
		if !strings.Contains(wrong.Error(), want) {
			t.Errorf("not named: %s in %v", want, wrong)
		}
	}
}

var errLost = errors.New("connection lost")

func TestDoRepeatsUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		p := retry.Policy{
			Backoff: retry.Backoff{Base: 100 * time.Millisecond, Max: time.Second, Rand: func() float64 { return 0.5 }},
			Before:  func(n int, err error, wait time.Duration) { told = append(told, wait.String()) },
		}
		calls, began := 0, time.Now()
		err := retry.Do(t.Context(), p, func(context.Context) error {
			if calls++; calls < 4 {
				return errLost
			}
			return nil
		})
		if got := strings.Join(told, " "); err != nil || got != "50ms 100ms 200ms" || time.Since(began) != 350*time.Millisecond {
			t.Errorf("%v, waited %s, took %s", err, got, time.Since(began))
		}
	})
}

func TestDoHonoursRetryAfterWithJitterOnTop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := retry.Policy{Backoff: retry.Backoff{Base: time.Second, Max: time.Second, Rand: func() float64 { return 0.25 }}}
		calls, began := 0, time.Now()
		err := retry.Do(t.Context(), p, func(context.Context) error {
			if calls++; calls == 1 {
				return retry.After(errLost, 7*time.Second)
			}
			return nil
		})
		if err != nil || time.Since(began) != 7250*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestDoEnds(t *testing.T) {
	always := func(context.Context) error { return errLost }
	slow := retry.Policy{Backoff: retry.Backoff{Base: time.Hour, Max: time.Hour, Rand: func() float64 { return 0.5 }}}
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		err := retry.Do(t.Context(), retry.Policy{Attempts: 3}, func(context.Context) error { calls++; return errLost })
		if calls != 3 || !errors.Is(err, errLost) || !strings.Contains(err.Error(), "3 attempts") {
			t.Errorf("attempts: %d calls, %v", calls, err)
		}
		err = retry.Do(t.Context(), slow, func(context.Context) error { return retry.Stop(errLost) })
		if err != errLost {
			t.Errorf("stop: %v", err)
		}

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = retry.Do(ctx, slow, always)
		if !errors.Is(err, errLost) || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 0 {
			t.Errorf("deadline before the next attempt: %v after %s, want at once", err, time.Since(began))
		}

		ctx, cancel = context.WithCancel(t.Context())
		slow.Before = func(int, error, time.Duration) { cancel() }
		err = retry.Do(ctx, slow, always)
		if !errors.Is(err, errLost) || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled while waiting: %v", err)
		}
		err = retry.Do(ctx, slow, func(ctx context.Context) error { return ctx.Err() })
		if err != context.Canceled {
			t.Errorf("cancelled inside: %v", err)
		}
	})
}

func TestSleepTellsWhyItEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		began := time.Now()
		if err := retry.Sleep(ctx, time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		time.AfterFunc(time.Second, func() { cancel(errLost) })
		if err := retry.Sleep(ctx, time.Minute); err != errLost || time.Since(began) != time.Minute+time.Second {
			t.Errorf("ended while it slept: %v after %s", err, time.Since(began))
		}
		for _, d := range []time.Duration{0, time.Minute} {
			if err := retry.Sleep(ctx, d); err != errLost {
				t.Errorf("%s behind the end: %v", d, err)
			}
		}
	})
}

func TestDoBoundsEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		err := retry.Do(t.Context(), retry.Policy{Timeout: time.Second}, func(ctx context.Context) error {
			if calls++; calls < 3 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		if err != nil || calls != 3 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

func TestMarkingNoErrorIsNoError(t *testing.T) {
	if retry.Stop(nil) != nil || retry.After(nil, 1) != nil {
		t.Error("nil became an error")
	}
}

func BenchmarkBudgetRequest(b *testing.B) {
	budget := retry.DefaultSettings().Budget()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			budget.Request()
		}
	})
}
