// Package await lets a test wait for what other goroutines and processes bring about, where there is nothing to be woken by.
//
//	await.That(t, "the replica is ejected", func() bool { return pool.Snapshot().Usable == 1 })
//	await.Seen(t, "b owns the shard", func() (any, bool) { o := owner(t); return o, o == "b" })
//
// The limit is generous, because a test must not tell a slow machine from a broken program; whoever waits in vain is told for
// what, and with Seen what there was instead. A test that wants to know how long something takes measures it itself.
package await

import (
	"testing"
	"time"
)

// Limit is how long a condition may take to hold.
const Limit = time.Minute

// every is the time between two looks: short beside anything that is worth waiting for, and long beside a look.
const every = 5 * time.Millisecond

// That waits until a condition holds, and ends the test when it does not come to. what completes the sentence "waited for …".
func That(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if !look(Limit, holds) {
		t.Fatalf("waited %s for: %s", Limit, what)
	}
}

// Seen waits like That. The look also returns what was seen, which is told when it was in vain.
func Seen(t testing.TB, what string, holds func() (seen any, so bool)) {
	t.Helper()
	seen(t, Limit, what, holds)
}

func seen(t testing.TB, limit time.Duration, what string, holds func() (any, bool)) {
	t.Helper()
	var last any
	if !look(limit, func() (so bool) { last, so = holds(); return so }) {
		t.Fatalf("waited %s for: %s; there is: %+v", limit, what, last)
	}
}

// look looks until a condition holds or the limit is over. It looks once after that, too: a process that was itself stopped
// for so long has not seen anything.
func look(limit time.Duration, holds func() bool) bool {
	over := time.NewTimer(limit)
	defer over.Stop()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !holds() {
		select {
		case <-over.C:
			return holds()
		case <-tick.C:
		}
	}
	return true
}
