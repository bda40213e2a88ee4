package limit

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// Decision is the answer for one request.
type Decision struct {
	Allowed    bool
	Limit      int           // requests that a full bucket allows at once
	Remaining  int           // requests that it allows now, as far as this replica knows
	Reset      time.Duration // until it is full
	RetryAfter time.Duration // until the next one is worth trying; 0 when allowed
	Class      string        // of the path, "" when nothing limits it
	Kind       Kind          // of the identity

	policy []byte
}

// decision reports what take has done.
func (e *entry) decision(ok bool, now time.Duration, n float64, away bool) Decision {
	q := e.quota
	d := Decision{Allowed: ok, Limit: q.limit, Class: q.class, Kind: q.kind, policy: q.policy}
	level, rate := e.level(now), q.rate
	if away {
		level, rate = e.share, q.rate/n
	}
	known := math.Floor(e.leased + math.Max(0, math.Max(level, e.share)))
	if !ok {
		known = 0
		d.RetryAfter = max(seconds((1-level)/rate), interval)
	}
	d.Remaining = int(math.Min(known, q.burst))
	d.Reset = seconds((q.burst - float64(d.Remaining)) / q.rate)
	return d
}

// Limited tells whether any limit applies to the request: then its answer should carry the fields.
func (d Decision) Limited() bool { return d.policy != nil }

// Fields renders the header fields of the decision into buf and hands them to set one by one; a value is
// valid only during its call. It returns buf for reuse.
//
// RateLimit-Policy and RateLimit are those of draft-ietf-httpapi-ratelimit-headers (structured fields): q is
// what a full bucket allows and w the seconds that it takes to fill; r is what remains and t the seconds until
// it is full. The X-RateLimit fields say the same to older clients, Reset in seconds from now.
func (d Decision) Fields(buf []byte, set func(name string, value []byte)) []byte {
	if d.policy == nil {
		return buf
	}
	set("RateLimit-Policy", d.policy)
	reset := wholeSeconds(d.Reset)
	buf = append(append(append(buf[:0], '"'), d.Class...), `";r=`...)
	buf = strconv.AppendInt(buf, int64(d.Remaining), 10)
	buf = strconv.AppendInt(append(buf, ";t="...), reset, 10)
	set("RateLimit", buf)
	set("X-RateLimit-Limit", number(&buf, int64(d.Limit)))
	set("X-RateLimit-Remaining", number(&buf, int64(d.Remaining)))
	set("X-RateLimit-Reset", number(&buf, reset))
	if !d.Allowed {
		set("Retry-After", number(&buf, max(1, wholeSeconds(d.RetryAfter))))
	}
	return buf
}

func number(buf *[]byte, n int64) []byte {
	*buf = strconv.AppendInt((*buf)[:0], n, 10)
	return *buf
}

// wholeSeconds rounds up, as a client that comes too early is limited again.
func wholeSeconds(d time.Duration) int64 {
	return int64(math.Ceil(d.Seconds()))
}

// WriteHeader sets the fields of Fields.
func (d Decision) WriteHeader(h http.Header) {
	d.Fields(nil, func(name string, value []byte) { h.Set(name, string(value)) })
}

// Problem is the 429 answer to a request that is not allowed.
func (d Decision) Problem() *problem.Problem {
	return problem.New(http.StatusTooManyRequests, "rate-limited", "too many requests; see the RateLimit and Retry-After fields").
		With("class", d.Class).Retry(max(d.RetryAfter, time.Second))
}
