package limit

import (
	"testing"
	"time"
)

// While a visit is under way the share goes on. What is used from it then and what the
// visit leases are the same tokens.
func TestABurstDuringAVisitIsNoLargerThanABurst(t *testing.T) {
	t.Parallel()
	q := &quota{rate: 2, burst: 4}
	var e entry
	e.reset(key{}, Identity{}, q, 0, 1)
	allowed := 0
	use := func() {
		for range 10 {
			if e.take(0, 1) {
				allowed++
			}
		}
	}
	if !e.take(0, 1) {
		t.Fatal("the first request is refused")
	}
	allowed++
	ask, _ := e.ask(0, 1, false)
	use() // the visit is under way
	left := q.burst - ask.Charge - float64(ask.Want)
	e.granted(ask, Grant{Tokens: ask.Want, Left: left}, time.Millisecond, 1)
	use()
	if allowed != 4 {
		t.Errorf("%d requests of a burst of 4 are allowed, of which %d were leased", allowed, ask.Want)
	}
}
