package search

import (
	"cmp"
	"maps"
	"slices"
)

// most keeps the n values that most documents have; of equals those that come first in the alphabet.
func most(values map[string]int, n int) map[string]int {
	if len(values) <= n {
		return values
	}
	kept := map[string]int{}
	for _, name := range ranked(values)[:n] {
		kept[name] = values[name]
	}
	return kept
}

// ranked are the values of a facet, those of most documents first.
func ranked(values map[string]int) []string {
	return slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(cmp.Compare(values[b], values[a]), cmp.Compare(a, b))
	})
}
