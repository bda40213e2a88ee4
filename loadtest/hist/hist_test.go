package hist_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/hist"
)

func TestNothingRecordedIsNothing(t *testing.T) {
	var h hist.Histogram
	if h.Quantile(0.99) != 0 || h.Mean() != 0 || h.Max() != 0 || h.Count() != 0 {
		t.Error("an empty histogram has values")
	}
}

func TestQuantilesAreWithinOnePerCentOfTheSortedValues(t *testing.T) {
	var h hist.Histogram
	rnd := rand.New(rand.NewPCG(1, 2))
	all := make([]time.Duration, 20_000)
	for i := range all {
		all[i] = time.Duration(rnd.ExpFloat64() * float64(3*time.Millisecond))
		h.Record(all[i])
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[max(int(q*float64(len(all)))-1, 0)]
		got := h.Quantile(q)
		if got < want || float64(got) > 1.008*float64(want)+1 {
			t.Errorf("quantile %v: %v, the sorted values say %v", q, got, want)
		}
	}
}

func TestTheExtremesHaveTheirBuckets(t *testing.T) {
	for _, d := range []time.Duration{-5, 0, 1, 127, 128, 255, 256, 257, time.Hour, 1<<63 - 1} {
		var h hist.Histogram
		h.Record(d)
		if got := h.Quantile(0.5); got != max(d, 0) {
			t.Errorf("recorded %d, the median is %d", d, got)
		}
	}
}

func TestMergeAndConcurrentRecordingLoseNothing(t *testing.T) {
	var whole hist.Histogram
	var wg sync.WaitGroup
	parts := make([]hist.Histogram, 4)
	for i := range parts {
		for range 2 {
			wg.Go(func() {
				for j := range 1000 {
					parts[i].Record(time.Duration(i*1000 + j))
				}
			})
		}
	}
	wg.Wait()
	for i := range parts {
		whole.Merge(&parts[i])
	}
	if whole.Count() != 8000 || whole.Max() != 3999 {
		t.Errorf("count %d, max %v", whole.Count(), whole.Max())
	}
	if mean := whole.Mean(); mean < 1999 || mean > 2000 {
		t.Errorf("mean %d", mean)
	}
}
