package limit

import (
	"sync/atomic"
	"time"
)

// The bounds of the log: a flood must not become one of lines.
const (
	logEvery     = 200 * time.Millisecond // all clients together
	logSameAfter = 10 * time.Second       // one client
)

// limitedLog decides which refusals are logged.
type limitedLog struct {
	next    atomic.Int64 // a time.Duration: no line before that
	skipped atomic.Int64 // clients whose line was due, since the last line
}

// count counts a refusal, and tells whether it is time for a line, with the number of refusals it stands for.
// The caller holds the lock of e.
func (g *limitedLog) count(e *entry, now time.Duration) (refused int64, report bool) {
	e.refused++
	if e.everLogged && now-e.loggedAt < logSameAfter {
		return 0, false
	}
	next := g.next.Load()
	e.everLogged, e.loggedAt = true, now
	if int64(now) < next || !g.next.CompareAndSwap(next, int64(now+logEvery)) {
		g.skipped.Add(1)
		return 0, false
	}
	refused, e.refused = e.refused, 0
	return refused, true
}
