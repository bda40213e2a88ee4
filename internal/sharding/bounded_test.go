package sharding

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// most is the bound of the paper: ceil(factor × share × all), among those that are there.
func most(servers []Server, there func(int) bool, factor float64, all int64, server int) int64 {
	total := 0
	for i, s := range servers {
		if there(i) {
			total += s.Weight
		}
	}
	return int64(math.Ceil(factor * float64(all) * float64(servers[server].Weight) / float64(total)))
}

// Whatever keys are popular and whoever is gone: no load is above its bound while loads only grow.
func TestNoLoadIsEverAboveItsBound(t *testing.T) {
	t.Parallel()
	for _, name := range OrderNames() {
		rapid.Check(t, func(t *rapid.T) {
			servers := drawServers(t, 1)
			b := NewBounded(ordered(t, name, servers), servers, 1+rapid.Float64Range(0, 1).Draw(t, "factor"))
			gone := rapid.IntRange(-1, len(servers)-1).Draw(t, "gone")
			there := func(i int) bool { return i != gone || len(servers) == 1 }
			loads := make([]int64, len(servers))
			all := int64(rapid.IntRange(1, 300).Draw(t, "requests"))
			for i := range all {
				key := "popular"
				if rapid.IntRange(0, 3).Draw(t, "other") == 0 {
					key = fmt.Sprint("word-", i)
				}
				server := b.First(hashOf(name, key), i, func(i int) int64 { return loads[i] }, there)
				if server < 0 || !there(server) {
					t.Fatalf("%s: server %d, which is not there", name, server)
				}
				loads[server]++
			}
			for i, n := range loads {
				if limit := most(servers, there, b.factor, all, i); there(i) && n > limit {
					t.Fatalf("%s: server %d of %v has %d of %d, at most %d are its own; %d is gone", name, i, servers, n, all, limit, gone)
				}
			}
		})
	}
}

func TestABoundedLookUpAllocatesNothing(t *testing.T) {
	servers := shards(10)
	load := func(i int) int64 { return int64(90 + i) }
	gone := func(i int) bool { return i != 3 }
	for _, name := range OrderNames() {
		b := NewBounded(ordered(t, name, servers), servers, 1.05)
		hash := uint64(0)
		if n := testing.AllocsPerRun(1000, func() { hash++; b.First(hash, 945, load, nil); b.First(hash, 945, load, gone) }); n > 1 {
			t.Errorf("%s: %v allocations in two look-ups", name, n) // one is the race detector's, under which a pool forgets now and then
		}
	}
}
