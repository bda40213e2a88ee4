package shardproxy

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/flotilla-dev/flotilla/internal/upstream"
)

func TestABreakerOpensLongerEachTimeAndClosesByAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker{health: upstream.Health{EjectAfter: 2, EjectBase: time.Second, EjectMax: 3 * time.Second}}
		openFor := func(want time.Duration) {
			t.Helper()
			begun := time.Now()
			for b.open() {
				time.Sleep(100 * time.Millisecond)
			}
			if got := time.Since(begun); got != want {
				t.Fatalf("open for %v, want %v", got, want)
			}
		}
		b.unreachable()
		openFor(0)
		b.unreachable()
		b.unreachable() // while it is open nothing is added
		openFor(time.Second)
		b.unreachable()
		openFor(2 * time.Second)
		b.unreachable()
		openFor(3 * time.Second)
		b.unreachable()
		openFor(3 * time.Second)
		b.unreachable()
		b.reached()
		openFor(0)
		b.unreachable()
		openFor(0)
		b.unreachable()
		openFor(time.Second)
	})
	never := breaker{health: upstream.Health{EjectBase: time.Second, EjectMax: time.Second}}
	for range 100 {
		never.unreachable()
	}
	if never.open() {
		t.Error("EJECT_AFTER=0 means never")
	}
}
