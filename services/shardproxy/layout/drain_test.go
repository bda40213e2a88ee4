package layout

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drained counts the keys of the shard that drains, and those of all keys that move again
// when it is taken out.
func drained(t testing.TB, function string, weights []int, gone int) (own, again int) {
	t.Helper()
	var with, without strings.Builder
	for i, weight := range weights {
		state := Active
		if i == gone {
			state = Draining
		} else {
			fmt.Fprintf(&without, "- {name: s%d, weight: %d, replicas: 'a:1'}\n", i, weight)
		}
		fmt.Fprintf(&with, "- {name: s%d, weight: %d, state: %s, replicas: 'a:1'}\n", i, weight, state)
	}
	head := "function: " + function + "\nshards:\n"
	before, after := parse(t, head+with.String()), parse(t, head+without.String())
	for i := range 500 {
		h := Of([]byte(fmt.Sprint("/", i)))
		if before.Owner(h) == gone {
			own++
		}
		if before.Shards[before.Home(h)].Name != after.Shards[after.Home(h)].Name {
			again++
		}
	}
	return own, again
}

func equal(n int) []int {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 1
	}
	return weights
}

// What package sharding promises of nginx and rendezvous holds for any weights.
func TestWithNginxAndRendezvousKeysMoveOnceWhenAShardDrainsAndLeaves(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 5), 2, 8).Draw(r, "weights")
		gone := rapid.IntRange(0, len(weights)-1).Draw(r, "gone")
		for _, function := range []string{"nginx", "rendezvous"} {
			if _, again := drained(t, function, weights, gone); again != 0 {
				r.Errorf("%s, %v without %d: %d keys move again", function, weights, gone, again)
			}
		}
	})
}

// Each of n equal shards has the same number of points as each of n-1 at these n, and of others not.
func TestWithKetamaKeysMoveOnceForEqualWeightsAtMostNumbersOfShards(t *testing.T) {
	for _, n := range []int{2, 3, 5, 10, 17, 24, 27} {
		if own, again := drained(t, "ketama", equal(n), n/2); own == 0 || again != 0 {
			t.Errorf("%d shards: of %d keys that have moved, and the others, %d move again", n, own, again)
		}
	}
	for name, weights := range map[string][]int{"25 shards, in single precision 39 sums each in place of 40": equal(25), "other weights": {1, 2, 3, 4}} {
		if _, again := drained(t, "ketama", weights, 1); again == 0 {
			t.Errorf("%s: no key moves again, which is more than the package promises", name)
		}
	}
}

// The plan tells of these, too.
func TestWithOtherFunctionsKeysMayMoveAgain(t *testing.T) {
	for _, function := range []string{"modulo", "jump", "maglev"} {
		if _, again := drained(t, function, equal(10), 4); again == 0 {
			t.Errorf("%s: no key moves again, which is more than the package promises", function)
		}
	}
}
