package scatter

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// A Call asks one replica. It must end soon after its context does, and may yet run for a moment when Gather has returned: what it reads
// must not change then. An error that is no *Failure is one of the network.
type Call[A any] func(ctx context.Context, shard int, replica *upstream.Endpoint) (A, error)

// An Answer is that of a shard, or why there is none.
type Answer[A any] struct {
	Value   A
	Replica string // that gave it
	Hedged  bool   // a second replica was asked, because the first took long
	Missing Reason // "": it is not missing
	Err     error  // of the last replica, when it is missing
}

// Gathered are the answers of all shards, in their order.
type Gathered[A any] []Answer[A]

// Hedged counts the shards of which a second replica was asked.
func (g Gathered[A]) Hedged() (n int) {
	for i := range g {
		if g[i].Hedged {
			n++
		}
	}
	return n
}

// Gather asks all shards at once and returns when each has answered, or cannot, or ctx is over. Each call has the deadline of ctx.
func Gather[A any](ctx context.Context, kind *Kind, shards []Shard, call Call[A]) Gathered[A] {
	began := time.Now()
	gathered := make(Gathered[A], len(shards))
	var all sync.WaitGroup
	asked, replicas, errs := make([]*asking[A], len(shards)), make([]*upstream.Endpoint, len(shards)), make([]error, len(shards))
	for i := range shards {
		// All are picked before the first is called, so that each pick sees the ones before it, however soon an answer comes: shards
		// that have replicas in common get different ones.
		asked[i] = &asking[A]{kind: kind, shard: i, replicas: shards[i], call: call}
		replicas[i], errs[i] = asked[i].begin()
	}
	for i, s := range asked {
		calls, cancel := context.WithCancelCause(ctx)
		if errs[i] == nil {
			s.ask(calls, replicas[i])
		}
		all.Go(func() {
			defer cancel(nil)
			if gathered[i] = s.wait(calls, cancel, errs[i]); gathered[i].Missing != "" {
				kind.owner.metrics.missing.WithLabelValues(kind.Name, string(gathered[i].Missing)).Inc()
			}
		})
	}
	all.Wait()
	kind.owner.metrics.gather.WithLabelValues(kind.Name).Observe(time.Since(began).Seconds())
	return gathered
}

// asking is how one shard is asked.
type asking[A any] struct {
	kind     *Kind
	shard    int
	replicas Shard
	call     Call[A]

	tried    upstream.Tried
	inFlight int
	delay    time.Duration // after which it is hedged
	hedge    int           // the number of the call that is the hedge; 0: none
	results  chan result[A]
}

type result[A any] struct {
	number  int // of the call, from 0
	replica string
	value   A
	failure *Failure
}

// overtaken is why a call is cancelled when another one was first.
type overtaken struct{ by int }

func (overtaken) Error() string { return "another replica answered first" }

// begin picks the first replica, which the caller asks.
func (s *asking[A]) begin() (*upstream.Endpoint, error) {
	o := &s.kind.owner.options
	s.delay = s.kind.Delay()
	s.results = make(chan result[A], o.Attempts) // so that no loser waits for somebody to hear it
	replica, err := s.replicas.Pool.Pick("", &s.tried)
	if err == nil {
		o.Hedges.Request()
		s.replicas.Retries.Request()
	}
	return replica, err
}

// wait makes further calls until one is good, none is left, or ctx is over. cancel ends all calls that are under way then.
func (s *asking[A]) wait(ctx context.Context, cancel context.CancelCauseFunc, began error) Answer[A] {
	if began != nil {
		return Answer[A]{Missing: NoReplica, Err: began}
	}
	timer := time.NewTimer(s.delay)
	defer timer.Stop()
	for {
		select {
		case r := <-s.results:
			s.inFlight--
			if r.failure == nil {
				cancel(overtaken{by: r.number})
				return s.won(r)
			}
			if s.inFlight == 0 && !s.replace(ctx, r.failure) {
				return Answer[A]{Missing: r.failure.Reason, Err: r.failure.Err, Hedged: s.hedge > 0}
			}
		case <-timer.C:
			s.hedgeIt(ctx)
		case <-ctx.Done():
			return s.over(ctx)
		}
	}
}

func (s *asking[A]) won(r result[A]) Answer[A] {
	if s.hedge > 0 && r.number == s.hedge {
		s.kind.owner.metrics.hedges.WithLabelValues(s.kind.Name, hedgeWon).Inc()
	}
	return Answer[A]{Value: r.value, Replica: r.replica, Hedged: s.hedge > 0}
}

// over is the answer of a shard that has none when ctx is over. Calls that are under way end by themselves.
func (s *asking[A]) over(ctx context.Context) Answer[A] {
	f := failure(ctx.Err())
	return Answer[A]{Missing: f.Reason, Err: f.Err, Hedged: s.hedge > 0}
}

// replace asks another replica after one has failed, unless that makes no sense.
func (s *asking[A]) replace(ctx context.Context, f *Failure) bool {
	if f.Final || ctx.Err() != nil || s.tried.Len() >= s.kind.owner.options.Attempts {
		return false
	}
	// A replica that was not reached has done nothing: another one in its place is no load more, and needs no budget.
	if f.Outcome != upstream.ConnectError && !s.replicas.Retries.Retry() {
		return false
	}
	replica, err := s.replicas.Pool.Pick("", &s.tried)
	if err != nil {
		replica, err = s.replicas.Pool.Spare(&s.tried)
	}
	if err != nil {
		return false
	}
	s.ask(ctx, replica)
	s.kind.owner.metrics.replaced.WithLabelValues(s.kind.Name).Inc()
	return true
}

// hedgeIt asks a second replica, once, if there is another one and the budget has it.
func (s *asking[A]) hedgeIt(ctx context.Context) {
	o, m := &s.kind.owner.options, s.kind.owner.metrics
	if o.Quantile <= 0 || s.tried.Len() >= o.Attempts {
		return
	}
	if usable, _ := s.replicas.Pool.Usable(); usable <= s.tried.Len() {
		return // there is nobody else to ask, which is no matter of the budget
	}
	if !o.Hedges.Retry() {
		m.hedges.WithLabelValues(s.kind.Name, hedgeRefused).Inc()
		return
	}
	if replica, err := s.replicas.Pool.Pick("", &s.tried); err == nil {
		s.hedge = s.tried.Len() - 1
		s.ask(ctx, replica)
		m.hedges.WithLabelValues(s.kind.Name, hedgeSent).Inc()
	}
}

// ask calls the replica that was picked last.
func (s *asking[A]) ask(ctx context.Context, replica *upstream.Endpoint) {
	number := s.tried.Len() - 1
	s.inFlight++
	results, kind, call, shard, delay, waits := s.results, s.kind, s.call, s.shard, s.delay, s.replicas.Waits
	kind.owner.calls.Go(func() {
		began := time.Now()
		value, err := call(ctx, shard, replica)
		took := time.Since(began)
		r := result[A]{number: number, replica: replica.Name(), value: value}
		outcome := upstream.OK
		if err != nil {
			r.failure = failure(err)
			outcome = blame(ctx, number, took, delay, r.failure)
			if waits && outcome == upstream.Timeout {
				outcome = upstream.Canceled
			}
		}
		kind.ended(number, took, outcome, waits, err)
		replica.Done(outcome, took)
		results <- r
	})
}

// blame is what the pool hears of a call that gave no answer. When it was cut off, it is what the replica would have been blamed for
// by somebody who had waited: that it is slow, if it had taken longer than nearly all others.
func blame(ctx context.Context, number int, took, delay time.Duration, f *Failure) upstream.Outcome {
	cause := context.Cause(ctx)
	if cause == nil {
		return f.Outcome
	}
	var first overtaken
	slow := errors.As(cause, &first) && number < first.by || errors.Is(cause, context.DeadlineExceeded)
	if slow && took >= delay {
		return upstream.Timeout
	}
	return upstream.Canceled
}

// ended counts a call. A failure says nothing of how long answers take, and neither does an answer that was waited for; the caller's
// leaving cuts off at any time.
func (k *Kind) ended(number int, took time.Duration, outcome upstream.Outcome, waits bool, err error) {
	k.owner.metrics.calls.WithLabelValues(k.Name, outcome.String()).Inc()
	if number == 0 && !waits && (err == nil || outcome == upstream.Timeout) {
		k.window.record(took)
	}
}
