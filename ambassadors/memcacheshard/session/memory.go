package session

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Memory bounds what all clients together hold: answers that they have not
// taken, and commands that are larger than usual.
type Memory struct {
	Limit int64 // bytes
	used  atomic.Int64
}

// fairShare is what one client may hold when all together hold too much.
const fairShare = 64 << 10

func (m *Memory) add(n int) { m.used.Add(int64(n)) }

// Used is how much is held.
func (m *Memory) Used() int64 { return m.used.Load() }

func (m *Memory) over() bool { return m.used.Load() > m.Limit }

// patience is how long a client with a large command waits for others to go on.
const patience = 5 * time.Second

var errMemory = errors.New("too much memory is held")

// wait waits until less than the limit is held.
func (m *Memory) wait(ctx context.Context) error {
	if !m.over() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for m.over() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errMemory
		}
	}
	return nil
}
