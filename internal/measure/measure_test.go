package measure

import (
	"testing"
	"time"
)

func TestTheWindowForgetsAndTheWholeDoesNot(t *testing.T) {
	now := time.Unix(1000, 0)
	s := NewSeries(6*time.Second, func() time.Time { return now })
	for i := range 6 {
		s.Record(time.Duration(i+1)*time.Millisecond, i%2 == 0)
		now = now.Add(time.Second)
	}
	if w := s.Window(); w.Requests != 5 || w.Errors != 2 || w.Over != 5*time.Second || w.Rate() != 1 { // the first second is out
		t.Errorf("%+v", w)
	}
	now = now.Add(-time.Hour)
	s.Record(time.Millisecond, true)
	if w := s.Window(); w.Requests != 6 {
		t.Errorf("a clock that goes backwards: %+v", w)
	}
	now = now.Add(2 * time.Hour)
	if w := s.Window(); w != (Summary{Over: 5 * time.Second}) {
		t.Errorf("%+v", w)
	}
	if w, since := s.Whole(); w.Requests != 7 || w.Errors != 4 || since != time.Unix(1000, 0) {
		t.Errorf("%+v since %v", w, since)
	}
}

func TestForgottenIsTheWindowOnly(t *testing.T) {
	s := NewSeries(time.Minute, nil)
	s.Record(time.Millisecond, true)
	s.Forget()
	if w := s.Window(); w.Requests != 0 {
		t.Errorf("%+v", w)
	}
	if w, _ := s.Whole(); w.Requests != 1 || w.ErrorShare() != 1 {
		t.Errorf("%+v", w)
	}
}

func TestQuantilesAreWithinSixPercent(t *testing.T) {
	var h histogram
	for i := 1; i <= 1000; i++ {
		h.record(time.Duration(i) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 0: time.Millisecond, 1: time.Second} {
		if got := h.quantile(q); got < want || float64(got) > 1.07*float64(want) {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
}

func TestEveryLatencyHasABucket(t *testing.T) {
	for d := time.Duration(1); d > 0 && d < 1<<62; d *= 3 {
		i := bucket(d)
		if i < 0 || i >= buckets || i < buckets-1 && (upper(i) < d/time.Microsecond*time.Microsecond || bucket(upper(i)) != i+1) {
			t.Errorf("%v is in %d, up to %v", d, i, upper(i))
		}
	}
	if bucket(-time.Second) != 0 {
		t.Error("a negative latency has no bucket")
	}
}
