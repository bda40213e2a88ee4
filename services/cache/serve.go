package cache

import (
	"errors"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// serve chooses the way of the request.
func (x *exchange) serve() {
	if a := x.s.Admission; a != nil && !x.admit(a) {
		return
	}
	rq := x.rq
	switch {
	case rq.Method == "TRACE":
		x.refuse(problem.New(http.StatusMethodNotAllowed, "method-not-allowed", "TRACE is not passed on"))
	case rq.Path == "*":
		x.pass(rfc9111.ForwardMethod, "")
	case rq.Method != "GET" && rq.Method != "HEAD":
		x.pass(rfc9111.ForwardMethod, "")
	case x.route.Pass:
		x.pass(rfc9111.ForwardBypass, "")
	case !x.c.EmptyBody() || rfc9111.Conditional(rq.Header):
		x.pass(rfc9111.ForwardRequest, "")
	default:
		x.cached()
	}
}

// admit asks the limits.
func (x *exchange) admit(a Admission) bool {
	x.caller = Caller{Client: x.client, Path: plainPath(x.rq.Path), Header: x.rq.Header, fields: x.caller.fields}
	var refused *problem.Problem
	x.extra, refused, x.limited = a.Admit(&x.caller, x.extra)
	if refused != nil {
		x.refuse(refused)
		return false
	}
	x.admitted = true
	if x.caller.Login {
		x.rq.Header = x.rq.Header.Del("Authorization")
		x.selector.Request = x.rq.Header
	}
	return true
}

// maxRounds bounds how often a request looks again because what it waited for answers others only.
const maxRounds = 3

// cached answers from the store, or by a flight.
func (x *exchange) cached() {
	alone := false
	for round := 0; ; round++ {
		now := x.started
		if round > 0 {
			now = time.Now()
		}
		resource := x.s.Store.Get(x.key)
		object := x.find(resource)
		if object != nil && x.fromStore(object, now) {
			return
		}
		if x.directives.OnlyIfCached {
			x.fail(problem.New(http.StatusGatewayTimeout, "not-cached", "nothing stored answers this request, and it allows nothing else"))
			return
		}
		missing := resource != nil && now.Before(resource.MissUntil)
		if missing && x.rq.Header.Has("Range") {
			x.outcome = outcomeHitForMiss
			x.pass(rfc9111.ForwardMiss, "hit-for-miss")
			return
		}
		x.why(resource, object, missing)
		single := alone || missing || round >= maxRounds || x.rq.Header.Has("Authorization") || x.directives.NoStore
		f, leader, full := x.s.flights.join(x, object, !single)
		if full {
			x.sendError(object, errTooManyWaiters, nil)
			return
		}
		if leader {
			x.s.depart(x, f)
		}
		if x.await(f, leader, object) {
			return
		}
		alone = true
	}
}

// find returns the stored object that the request selects, if no ban hits it.
func (x *exchange) find(r *store.Resource) *store.Object {
	if r == nil {
		return nil
	}
	o := r.Find(x.parts, &x.selector)
	if o == nil || !x.s.Store.Usable(x.key, o) {
		return nil
	}
	return o
}

// fromStore answers with the object if that may be done without asking upstream first.
func (x *exchange) fromStore(o *store.Object, now time.Time) bool {
	if x.s.inDoubt() {
		return false
	}
	verdict := o.Meta.Judge(&x.directives, now)
	switch verdict {
	case rfc9111.Fresh:
		x.outcome = outcomeHit
	case rfc9111.StaleAllowed:
		x.outcome = outcomeStale
	case rfc9111.StaleWhileRevalidate:
		x.outcome = outcomeStale
		if f, leader := x.s.flights.refresh(x, o); leader {
			x.s.depart(x, f)
		}
	default:
		return false
	}
	x.cs = rfc9111.CacheStatus{Hit: true, HasTTL: true, TTL: o.Meta.TTL(now)}
	x.sendObject(o, now)
	return true
}

// why notes the reason for Cache-Status.
func (x *exchange) why(r *store.Resource, o *store.Object, missing bool) {
	x.cs = rfc9111.CacheStatus{Forward: rfc9111.ForwardURIMiss}
	switch {
	case o != nil && o.Meta.TTL(x.started) > 0:
		x.cs.Forward = rfc9111.ForwardRequest
	case o != nil:
		x.cs.Forward = rfc9111.ForwardStale
	case missing:
		x.cs.Forward, x.cs.Detail = rfc9111.ForwardMiss, "hit-for-miss"
	case r != nil && len(r.Variants) > 0:
		x.cs.Forward = rfc9111.ForwardVary
	}
	x.outcome = outcomeMiss
	if missing {
		x.outcome = outcomeHitForMiss
	}
}

// The ends of a wait that are no answer.
var (
	errTooManyWaiters = errors.New("too many clients wait for this answer")
	errWaitTimeout    = errors.New("the wait for another client's upstream request took too long")
)

// await waits for the flight and answers. It returns false when the flight answers others only.
func (x *exchange) await(f *flight, leader bool, object *store.Object) bool {
	if !x.wait(f, leader) {
		x.sendError(object, errWaitTimeout, nil)
		return true
	}
	defer f.leave()
	if !leader {
		x.cs.Collapsed = true
		x.outcome = outcomeCoalesced
	}
	x.cs.FwdStatus, x.upstream = f.status, f.upstream
	f.mu.Lock()
	solo, head := f.solo, f.head
	if leader {
		f.solo, f.head, f.taken = nil, nil, true
	}
	f.mu.Unlock()
	switch {
	case f.err != nil && leader:
		x.sendError(object, f.err, solo)
	case f.err != nil:
		x.sendError(object, f.err, nil)
	case f.object == nil && leader:
		x.stream(solo)
	case f.object == nil:
		return false
	case !leader && !x.selectedBy(f):
		return false
	case f.live != nil:
		if !leader {
			head = nil
		}
		return x.sendLive(f, head)
	default:
		x.validated(f)
	}
	return true
}

// wait blocks until the flight has landed, or for too long.
func (x *exchange) wait(f *flight, leader bool) bool {
	timer := time.NewTimer(x.s.WaitTimeout)
	defer timer.Stop()
	x.s.metrics.waiting.Inc()
	defer x.s.metrics.waiting.Dec()
	select {
	case <-f.landed:
		return true
	case <-timer.C:
	}
	f.leave()
	if leader {
		f.abandon()
	}
	return false
}

// selectedBy reports whether what landed answers this request too.
func (x *exchange) selectedBy(f *flight) bool {
	return f.object.Parts == x.parts && x.selector.Matches(f.object.Selecting)
}

// validated answers with an object that a 304 confirmed.
func (x *exchange) validated(f *flight) {
	now := time.Now()
	if !x.cs.Collapsed {
		x.outcome = outcomeValidated
	}
	x.cs.Stored = true
	x.cs.HasTTL, x.cs.TTL = true, f.object.Meta.TTL(now)
	x.sendObject(f.object, now)
}
