package edge

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// lingerIdle is how long a connection must have been idle before a shutdown
// closes it: a client that sends request after request gets an answer that asks
// it to leave, instead of a closed connection under its request.
const lingerIdle = time.Second

// Shutdown stops accepting, asks clients to leave, and waits for requests in
// progress until ctx ends.
func (s *server) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	s.stopAdmitting(ctx)
	var others sync.WaitGroup
	if s.h2 != nil {
		others.Go(func() { _ = s.h2.Shutdown(ctx) }) // GOAWAY; what is late is closed below
	}
	if s.beside != nil {
		others.Go(func() {
			if err := s.beside.shutdown(ctx); err != nil {
				s.log.Warn("HTTP/3 not closed", "error", err)
			}
		})
	}
	err := s.drain(ctx)
	others.Wait()
	s.Close()
	return err
}

// stopAdmitting closes the listener. A connection that was accepted a moment
// before is served all the same: it is nobody else's, even where others share
// the listener.
func (s *server) stopAdmitting(ctx context.Context) {
	s.mu.Lock()
	accepting := s.accepting
	if accepting == nil {
		s.down = true // Serve will find it
		s.mu.Unlock()
		return
	}
	_ = s.listener.Close() // closed twice when the drain began with it
	s.mu.Unlock()
	select {
	case <-accepting:
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.down = true
	s.mu.Unlock()
}

// drain waits until all connections are closed, closing idle ones itself.
func (s *server) drain(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left := s.closeIdle()
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d connections were open at the deadline: %w", left, ctx.Err())
		case <-tick.C:
		}
	}
}

func (s *server) closeIdle() (left int) {
	s.mu.Lock()
	var idle []*seatedConn
	for c := range s.conns {
		left++
		if c.seat.IdleFor() > lingerIdle {
			idle = append(idle, c)
		}
	}
	s.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
	return left
}

// Close closes everything at once and waits for the goroutines.
func (s *server) Close() error {
	s.mu.Lock()
	conns := make([]*seatedConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	if s.h2 != nil {
		_ = s.h2.Close() // its listener is ours, and closing that cannot fail
	}
	s.serving.Wait()
	return nil
}

// stopAccepting closes the listener only.
func (s *server) stopAccepting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		_ = s.listener.Close() // a second close is no harm
	}
}
