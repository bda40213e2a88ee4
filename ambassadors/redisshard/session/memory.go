package session

import (
	"context"
	"sync/atomic"
	"time"
)

// Memory bounds what all clients together hold: replies that they have not
// taken, and commands that are larger than a usual buffer.
type Memory struct {
	Limit int64 // bytes
	used  atomic.Int64
}

// fairShare is what one client may hold even when all together hold too much.
const fairShare = 1 << 20

func (m *Memory) add(n int) { m.used.Add(int64(n)) }

// Used is how much is held.
func (m *Memory) Used() int64 { return m.used.Load() }

// far tells that so much is held that waiting is not enough.
func (m *Memory) far() bool { return m.used.Load() > 2*m.Limit }

// patience is how long a client that holds a large command waits for others.
const patience = 5 * time.Second

// wait waits until less than the limit is held, or ctx ends. It does not take for
// ever: clients that do not take their replies are cut off in time, and one that
// holds part of a command is not waited for by the others longer than patience;
// then wait returns false.
func (m *Memory) wait(ctx context.Context, holds bool) bool {
	if m.used.Load() <= m.Limit {
		return true
	}
	began := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for m.used.Load() > m.Limit {
		select {
		case <-ctx.Done():
			return true
		case <-tick.C:
			if holds && time.Since(began) > patience {
				return false
			}
		}
	}
	return true
}
