package limit

import (
	"context"
	"sync"
	"time"
)

// The times of the store's health.
const (
	beatEvery = time.Second
	// retryAway is how often a store that is away is tried.
	retryAway = 250 * time.Millisecond
	// farewell bounds handing back at the end.
	farewell = 500 * time.Millisecond
)

// Run visits the store until ctx ends, and then hands back what is leased.
func (l *Limiter) Run(ctx context.Context) error {
	if l.store == nil {
		<-ctx.Done()
		return nil
	}
	var work sync.WaitGroup
	work.Go(func() { l.beats(ctx) })
	work.Go(func() { l.visits(ctx) })
	work.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if l.away.Load() {
		return nil
	}
	l.handBack(ctx)
	if err := l.store.Leave(ctx, l.instance); err != nil {
		l.log.Warn("replica count keeps this replica for a while", "error", err)
	}
	return nil
}

// beats counts the replicas, and finds out when the store is back.
func (l *Limiter) beats(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		begun := l.now()
		trip, cancel := context.WithTimeout(ctx, patience)
		n, err := l.store.Beat(trip, l.instance)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.lost(err)
		default:
			l.replicas.Store(max(l.atLeast, int64(n)))
			l.found(begun)
		}
		if l.away.Load() || begun < presence { // a fleet that starts learns its size soon
			wait.Reset(retryAway)
		} else {
			wait.Reset(beatEvery)
		}
	}
}

// lost opens the circuit: no visits until a beat succeeds.
func (l *Limiter) lost(err error) {
	l.lostAt.Store(int64(l.now()))
	if !l.away.Swap(true) {
		l.metrics.away.Inc()
		l.log.Warn("limit store away, each replica allows its share", "replicas", l.replicas.Load(), "error", err)
	}
}

// found closes it, unless it opened after the beat that succeeded had begun.
func (l *Limiter) found(begun time.Duration) {
	if l.away.Load() && time.Duration(l.lostAt.Load()) <= begun {
		l.back.Store(int64(l.now()))
		l.away.Store(false)
		l.log.Info("limit store back", "replicas", l.replicas.Load())
	}
}

// visits keeps the agenda. One call is under way at a time; meanwhile the next batch gathers.
func (l *Limiter) visits(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	var due []*entry
	for {
		var next time.Duration
		due, next = l.agenda.take(l.now(), due[:0])
		if len(due) > 0 {
			l.visit(ctx, due)
			if ctx.Err() != nil {
				return
			}
			continue
		}
		wait.Reset(next - l.now())
		select {
		case <-ctx.Done():
			return
		case <-l.agenda.wake:
		case <-wait.C:
		}
	}
}

// visit settles the buckets of entries in one call.
func (l *Limiter) visit(ctx context.Context, due []*entry) {
	asks, who := l.asks(due)
	if len(asks) == 0 {
		return
	}
	grants := make([]Grant, len(asks))
	begun := l.now()
	trip, cancel := context.WithTimeout(ctx, patience)
	err := l.store.Settle(trip, asks, grants)
	cancel()
	now, n := l.now(), float64(l.replicas.Load())
	l.metrics.visited(len(asks), now-begun, err)
	for i, e := range who {
		s := l.shard(e.key)
		s.mu.Lock()
		if err != nil {
			e.failed(now)
		} else if again := e.granted(asks[i], grants[i], now, n); again < e.armedAt {
			e.armedAt = again
			l.agenda.add(e, again)
		}
		s.mu.Unlock()
	}
	if err != nil && ctx.Err() == nil {
		l.lost(err)
	}
}

// asks prepares the visits of the entries that need one.
func (l *Limiter) asks(due []*entry) (asks []Ask, who []*entry) {
	now, n, back := l.now(), float64(l.replicas.Load()), time.Duration(l.back.Load())
	away := l.away.Load()
	for _, e := range due {
		s := l.shard(e.key)
		s.mu.Lock()
		e.armedAt = never
		if away {
			e.askAfter = now + retryAway
		} else if !e.asking {
			if ask, ok := e.ask(now, n, e.leftAt < back); ok {
				asks, who = append(asks, ask), append(who, e)
			}
		}
		s.mu.Unlock()
	}
	return asks, who
}

// handBack returns leased tokens and charges spent ones, as far as ctx allows.
func (l *Limiter) handBack(ctx context.Context) {
	var asks []Ask
	send := func() bool {
		err := l.store.Settle(ctx, asks, make([]Grant, len(asks)))
		if err != nil {
			l.log.Warn("leased tokens not handed back", "buckets", len(asks), "error", err)
		}
		asks = asks[:0]
		return err == nil
	}
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			if ask, ok := e.farewell(); ok {
				asks = append(asks, ask)
			}
		}
		s.mu.Unlock()
		if len(asks) >= batch && !send() {
			return
		}
	}
	if len(asks) > 0 {
		send()
	}
}
