package pool

import (
	"context"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/link"
)

// Bounds of how often time-outs are looked for: a request waits for a quarter of
// the time-out longer at most.
const (
	minTick = 5 * time.Millisecond
	maxTick = 100 * time.Millisecond
)

// Run looks for requests that wait for too long, and closes shards that are
// gone. At the end of ctx it closes all of them.
func (p *Pool) Run(ctx context.Context) error {
	defer p.close()
	for {
		every := min(max(p.Shards()[0].Options().Timeout/4, minTick), maxTick)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
		now := link.Now()
		for _, s := range p.Shards() {
			s.Check(now)
		}
		p.bury(now)
	}
}

// bury closes retired shards that have nothing in flight.
func (p *Pool) bury(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.retired[:0]
	for _, s := range p.retired {
		s.Check(now)
		if s.Busy() || now-s.since < grace {
			waiting = append(waiting, s)
			continue
		}
		s.Close()
	}
	clear(p.retired[len(waiting):])
	p.retired = waiting
}

func (p *Pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.retired {
		s.Close()
	}
	for _, s := range p.Shards() {
		s.Close()
	}
	p.retired = nil
}
