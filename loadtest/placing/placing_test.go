package placing

import (
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/sharding"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMovedCountsWhatIsElsewhere(t *testing.T) {
	t.Parallel()
	if all, needless := Moved([]int{0, 1, 2, 0, 1}, []int{0, 3, 2, 1, 3}, 3); all != 3 || needless != 1 {
		t.Errorf("%d moved, %d of them needlessly, want 3 and 1", all, needless)
	}
}

func TestFullestIsByWeight(t *testing.T) {
	t.Parallel()
	servers := []sharding.Server{{Name: "a", Weight: 1}, {Name: "b", Weight: 3}, {Name: "c", Weight: 0}}
	if got := Fullest([]int{0, 1, 1, 1}, servers); got != 1 {
		t.Errorf("loads as weights: %v", got)
	}
	if got := Fullest([]int{0, 0, 1, 1}, servers); got != 2 {
		t.Errorf("twice its share: %v", got)
	}
}

func TestEveryFunctionPlacesEveryKey(t *testing.T) {
	t.Parallel()
	servers := Shards(7)
	all, err := Functions(servers)
	if err != nil || len(all) != len(sharding.OrderNames())+2 {
		t.Fatalf("%d functions, %v", len(all), err)
	}
	keys := Popular(Targets(7000), 50)
	for _, f := range all {
		places := f.Place(keys)
		if slices.Min(places) < 0 || slices.Max(places) > 6 {
			t.Errorf("%s: places %d to %d", f.Name, slices.Min(places), slices.Max(places))
		}
		switch full := Fullest(places, servers); {
		case f.Bounded != nil && full > Bound+0.001, f.Bounded == nil && full < 3.5:
			t.Errorf("%s: the fullest has %.3f times the mean, where half of the requests are for one key", f.Name, full)
		}
	}
	if _, err := New("ring", servers); err == nil {
		t.Error("an unknown function is taken")
	}
}

func TestNamesAreDifferent(t *testing.T) {
	t.Parallel()
	if _, err := sharding.NewOrder("nginx", Shards(1000)); err != nil {
		t.Error(err)
	}
}
