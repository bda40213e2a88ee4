package recent

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func see(s *Sample, from, to int) {
	for i := from; i < to; i++ {
		s.See(layout.Of([]byte(fmt.Sprint("/", i))))
	}
}

func estimate(s *Sample) float64 {
	keys, each := s.Keys()
	return float64(len(keys)) * each
}

// However many keys there are, memory is bounded, and how many there are is known within
// what such a sample allows.
func TestTheSampleIsBoundedAndEstimates(t *testing.T) {
	for _, n := range []int{0, 1, 500, 5_000, 200_000} {
		s := New(1024, time.Hour, nil)
		see(s, 0, n)
		see(s, 0, n/2) // again: a key counts once
		if len(s.keys) > 1024 {
			t.Errorf("%d keys: %d are kept", n, len(s.keys))
		}
		if got := estimate(s); math.Abs(got-float64(n)) > 0.2*float64(n) {
			t.Errorf("%d keys: the estimate is %.0f", n, got)
		}
	}
	tiny := New(1, time.Hour, nil)
	see(tiny, 0, 1000)
	if len(tiny.keys) > 1 {
		t.Errorf("%d keys in a sample of one", len(tiny.keys))
	}
}

func TestTheSampleFavoursNoShard(t *testing.T) {
	s := New(1024, time.Hour, nil)
	see(s, 0, 100_000)
	text := "function: modulo\nshards:\n"
	for i := range 4 {
		text += fmt.Sprintf("- {name: s%d, replicas: 'a:1'}\n", i)
	}
	l, err := layout.Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Place()
	if err != nil {
		t.Fatal(err)
	}
	count := [4]int{}
	keys, _ := s.Keys()
	for _, k := range keys {
		count[p.Home(k.Hash)]++
	}
	for i, n := range count {
		if share := float64(n) / float64(len(keys)); share < 0.18 || share > 0.32 {
			t.Errorf("shard %d has %.2f of the sample: %v", i, share, count)
		}
	}
}

func TestOldKeysLeaveAndRoomIsUsedAgain(t *testing.T) {
	now := time.Unix(1000, 0)
	s := New(1024, time.Minute, func() time.Time { return now })
	see(s, 0, 100_000)
	now = now.Add(2 * time.Minute)
	if got := estimate(s); got != 0 {
		t.Errorf("%.0f keys after all are old", got)
	}
	// While the level falls, which it does once a minute, estimates stay true.
	for range 12 {
		see(s, 0, 400)
		if got := estimate(s); math.Abs(got-400) > 0.6*400 {
			t.Errorf("the estimate of 400 is %.0f at level %d", got, s.level.Load())
		}
		now = now.Add(61 * time.Second)
	}
	see(s, 0, 400)
	if got := estimate(s); got != 400 {
		t.Errorf("%.0f of 400 at level %d", got, s.level.Load())
	}
	s.Forget()
	if got := estimate(s); got != 0 {
		t.Errorf("%.0f after all", got)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	s := New(16, time.Hour, nil)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				see(s, 7, 8)
			}
		})
	}
	all.Wait()
	if keys, _ := s.Keys(); len(keys) != 1 || keys[0].Requests != 400 || keys[0].Hash != layout.Of([]byte("/7")) {
		t.Errorf("%+v", keys)
	}
}
