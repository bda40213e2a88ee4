package limit

import (
	"math"
	"time"
)

// The times of leasing.
const (
	// interval is the least time between two visits to a bucket that had not what was wanted.
	interval = 25 * time.Millisecond
	// horizon is the time that a lease should last.
	horizon = 100 * time.Millisecond
	// hold is how long leased tokens may lie unused at least before they are handed back.
	hold = 100 * time.Millisecond
	// settleAfter is when at the latest a token is charged that was used without a lease.
	settleAfter = time.Second
	never       = time.Duration(math.MaxInt64)
)

// entry is what this replica knows of one bucket. Times are since the limiter's start, on the monotonic
// clock; n is the number of replicas. The lock of the entry's shard guards it.
//
// It allows from two sources. leased tokens were taken from the shared bucket before they are used. share is
// this replica's part of what the bucket must hold by now: the level last seen ÷ n, growing by rate ÷ n; a
// token used from it is spent, and charged to the bucket with the next visit. If all replicas used up their
// shares they would have used exactly what the bucket holds. One that leases besides makes the others'
// shares wrong by at most their size (burst ÷ n each); the bucket then owes that, and it is paid back first:
// every allowed request is charged exactly once.
//
// Without the store, shares simply go on: rate ÷ n.
type entry struct {
	key        key
	who        Identity
	quota      *quota
	prev, next *entry // in the shard's list of use
	pinned     bool   // an overflow bucket: never forgotten

	leased  float64
	share   float64
	shareAt time.Duration
	spent   float64 // not charged yet
	sent    float64 // of them, in the visit that is under way

	left       float64 // level of the bucket, when last seen
	leftAt     time.Duration
	hits       float64 // since the last visit: allowed and refused
	asking     bool    // a visit is under way
	askedAt    time.Duration
	askAfter   time.Duration // no visit before that
	armedAt    time.Duration // the next visit is scheduled; never: none is
	seen       time.Duration
	refused    int64 // since it was logged
	loggedAt   time.Duration
	everLogged bool
}

// reset makes an entry that knows nothing: the bucket is taken to be full.
func (e *entry) reset(k key, who Identity, q *quota, now time.Duration, n float64) {
	*e = entry{key: k, who: who, quota: q, share: capOf(q, n), shareAt: now, left: q.burst, leftAt: now, askedAt: now, armedAt: never, seen: now}
}

// capOf is the largest share: a burst's part, but a whole token.
func capOf(q *quota, n float64) float64 { return math.Max(1, q.burst/n) }

// low is the number of tokens at which it is time to lease.
func low(q *quota, n float64) float64 { return math.Max(1, capOf(q, n)/4) }

// refill lets the share grow.
func (e *entry) refill(now time.Duration, n float64) {
	if dt := now - e.shareAt; dt > 0 {
		e.share += e.quota.rate / n * dt.Seconds()
		e.shareAt = now
	}
	e.share = math.Min(e.share, capOf(e.quota, n))
}

// take uses a token, if there is one. Leased ones first: the others may do for a longer time.
func (e *entry) take(now time.Duration, n float64) bool {
	e.refill(now, n)
	e.seen = now
	e.hits++
	switch {
	case e.leased >= 1:
		e.leased--
	case e.share >= 1:
		e.share--
		e.spent++
	default:
		return false
	}
	return true
}

// due tells when the bucket should be visited, or never. It is asked after each take.
func (e *entry) due(now time.Duration, n float64) time.Duration {
	if e.asking {
		return never // the answer decides
	}
	few := low(e.quota, n)
	if now >= e.askAfter && (e.leased+e.share < few || e.spent >= few) {
		return now
	}
	if e.spent > 0 && e.armedAt == never {
		return max(now+settleAfter, e.askAfter)
	}
	return never
}

// ask prepares a visit; false when there is nothing to tell and nothing to want. While the store was away the
// shares went on, and so did the bucket: what was spent then is charged only as far as the share has not
// made up for it.
func (e *entry) ask(now time.Duration, n float64, wasAway bool) (Ask, bool) {
	e.refill(now, n)
	demand := math.Ceil(e.hits * horizon.Seconds() / max(now-e.askedAt, interval).Seconds())
	want := math.Min(demand, math.Max(1, math.Floor(e.quota.burst/(2*n))))
	if e.share >= demand+low(e.quota, n) {
		want = 0 // the share does: leases would only keep tokens from others
	}
	if want == 0 && e.leased+e.share < 1 && now-e.seen < e.linger() {
		want = 1 // for a client who comes as slowly as tokens do: his should be here when he comes
	}
	spare := math.Max(0, e.leased-want)
	owed := e.spent
	if wasAway {
		owed = math.Min(owed, math.Max(0, math.Ceil(capOf(e.quota, n)-e.share)))
	}
	lease := math.Max(0, want-e.leased)
	e.hits, e.askedAt = 0, now
	if owed == 0 && spare == 0 && lease == 0 {
		e.spent = 0
		return Ask{}, false
	}
	e.asking, e.sent = true, e.spent
	e.leased -= spare
	return Ask{
		Key: e.key.redis(e.quota.class), Rate: e.quota.rate, Burst: e.quota.burst,
		Charge: owed - spare, Want: int(lease),
	}, true
}

// granted takes the answer of a visit, and tells when to come again, or never.
func (e *entry) granted(a Ask, g Grant, now time.Duration, n float64) time.Duration {
	e.asking = false
	e.spent -= e.sent
	e.sent = 0
	e.leased += float64(g.Tokens)
	// What was used from the share meanwhile is covered by the lease: else both would
	// be used, and a burst would be larger by that.
	cover := math.Min(e.leased, e.spent)
	e.leased -= cover
	e.spent -= cover
	e.left, e.leftAt = g.Left, now
	part := capOf(e.quota, n)
	e.share = math.Max(-part, math.Min(part, g.Left/n)-e.spent)
	e.shareAt = now
	e.askAfter = now
	if g.Tokens < a.Want {
		e.askAfter = now + e.pause()
	}
	switch {
	case e.leased+e.share < 1 && e.seen >= e.askedAt:
		return max(e.askAfter, now+interval)
	case e.leased > 0:
		return now + e.linger()
	case e.spent > 0:
		return now + settleAfter
	}
	return never
}

// pause is the time after which a bucket that had too little is worth a visit: when it should have a whole
// token again, within bounds.
func (e *entry) pause() time.Duration {
	return min(max(seconds((1-e.left)/e.quota.rate), interval), settleAfter)
}

// linger is how long leased tokens may lie unused before they are handed back: until a client at the limit
// comes again, within bounds.
func (e *entry) linger() time.Duration {
	return min(max(seconds(1.5/e.quota.rate), hold), 5*time.Second)
}

// farewell prepares the last visit: all is charged, and all handed back.
func (e *entry) farewell() (Ask, bool) {
	a := Ask{Key: e.key.redis(e.quota.class), Rate: e.quota.rate, Burst: e.quota.burst, Charge: e.spent - e.leased}
	e.leased, e.spent = 0, 0
	return a, a.Charge != 0
}

// failed says that the visit's answer did not come. Tokens that it handed back are given up: whether they
// arrived is unknown, and the error is on the strict side.
func (e *entry) failed(now time.Duration) {
	e.asking, e.sent = false, 0
	e.askAfter = now + retryAway
}

// level is the best guess of what the bucket holds.
func (e *entry) level(now time.Duration) float64 {
	dt := max(0, now-e.leftAt).Seconds()
	return math.Min(e.quota.burst, e.left+e.quota.rate*dt) - e.spent
}

// idle tells that forgetting the entry does no harm: a share would be full again, and nothing is open.
func (e *entry) idle(now time.Duration) bool {
	quiet := min(max(seconds(e.quota.burst/e.quota.rate), 2*settleAfter), forgetAfter)
	return !e.pinned && !e.asking && e.armedAt == never && now-e.seen >= quiet
}

func seconds(s float64) time.Duration {
	if s >= 1e9 {
		return never
	}
	return time.Duration(s * float64(time.Second))
}
