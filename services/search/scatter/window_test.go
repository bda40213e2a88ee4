package scatter

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Of 1 ms … 100 ms the nearest rank of 0.98 is the 98th.
func TestTheQuantileIsTheNearestRank(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := window{quantile: 0.98, span: time.Minute, least: 100}
		for i := range 99 {
			w.record(time.Duration(99-i) * time.Millisecond)
		}
		if _, known := w.get(); known {
			t.Error("99 samples were believed, of which 100 are wanted")
		}
		for range often {
			w.record(100 * time.Millisecond)
		}
		// 115 samples: rank ceil(112.7) = 113 is one of those of 100 ms.
		if got, known := w.get(); !known || got != 100*time.Millisecond {
			t.Errorf("%v %v", got, known)
		}
	})
}

func TestOldSamplesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := window{quantile: 0.5, span: 8 * time.Second, least: 1}
		w.record(time.Second)
		time.Sleep(5 * time.Second)
		w.record(time.Millisecond)
		if got, _ := w.get(); got != time.Millisecond { // rank ceil(0.5·2) = 1
			t.Errorf("two samples: %v", got)
		}
		time.Sleep(5 * time.Second)
		if got, known := w.get(); got != time.Millisecond || !known {
			t.Errorf("one sample: %v %v", got, known)
		}
		time.Sleep(5 * time.Second)
		if _, known := w.get(); known {
			t.Error("nothing is left, but something is known")
		}
	})
}

// Whatever the samples: as many as the quantile says are not above it, and one fewer would not do.
func TestTheQuantileDividesTheSamples(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		q := rapid.Float64Range(0.01, 1).Draw(r, "quantile")
		took := rapid.SliceOfN(rapid.IntRange(0, 50), 1, 3000).Draw(r, "ms")
		w := window{quantile: q, span: time.Hour, least: 1}
		for _, ms := range took {
			w.record(time.Duration(ms) * time.Millisecond)
		}
		w.compute(time.Now())
		got, known := w.get()
		kept := slices.Clone(took[max(0, len(took)-samples):])
		slices.Sort(kept)
		below, at := 0, 0
		for _, ms := range kept {
			switch d := time.Duration(ms) * time.Millisecond; {
			case d < got:
				below++
			case d == got:
				at++
			}
		}
		if n := float64(len(kept)); !known || at == 0 || float64(below+at) < q*n || float64(below) >= q*n {
			r.Errorf("%v of %d samples: %d below, %d at %v", q, len(kept), below, at, got)
		}
	})
}

func TestTheDelayHasAFloorAndABeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(Options{Quantile: 0.9, Least: 2, First: 70 * time.Millisecond, Floor: 2 * time.Millisecond}).Kind("k")
		if d := k.Delay(); d != 70*time.Millisecond {
			t.Errorf("at first %v", d)
		}
		for range often {
			k.window.record(time.Microsecond)
		}
		if d := k.Delay(); d != 2*time.Millisecond {
			t.Errorf("of calls of 1µs: %v", d)
		}
	})
}
