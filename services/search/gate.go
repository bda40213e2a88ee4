package search

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// A gate lets so many requests in at a time. A bounded number waits for its turn, and the others are told to come back: a queue that
// grows answers nobody in time.
type gate struct {
	turns   chan struct{}
	waiting atomic.Int64
	most    int64
}

// queue is how many may wait for each that is in.
const queue = 4

func newGate(turns int) *gate {
	return &gate{turns: make(chan struct{}, turns), most: int64(turns) * queue}
}

// enter returns when it is the caller's turn, who calls leave then.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.turns <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > g.most {
		g.waiting.Add(-1)
		return overloaded()
	}
	defer g.waiting.Add(-1)
	select {
	case g.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return overloaded()
	}
}

func (g *gate) leave() { <-g.turns }

// inside is how many are in now.
func (g *gate) inside() int { return len(g.turns) }

func overloaded() error {
	return problem.New(http.StatusServiceUnavailable, "overloaded", "there is more to do here than can be done in time; come back in a moment").Retry(time.Second)
}
