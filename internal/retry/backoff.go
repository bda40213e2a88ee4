package retry

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Backoff computes delays with full jitter: the delay before retry n (from 0)
// is uniform in [0, min(Max, Base·2ⁿ)].
type Backoff struct {
	Base time.Duration
	Max  time.Duration // 0 means Base: the bound does not grow
	// Rand returns a number in [0, 1); nil means math/rand/v2.
	Rand func() float64
}

// Delay returns how long to wait before retry n.
func (b Backoff) Delay(n int) time.Duration {
	bound := b.Base
	for ; n > 0 && bound < b.Max; n-- {
		bound += min(bound, b.Max-bound) // doubled, without overflow
	}
	if b.Max > 0 {
		bound = min(bound, b.Max)
	}
	random := rand.Float64
	if b.Rand != nil {
		random = b.Rand
	}
	return time.Duration(random() * float64(bound))
}

// Idempotent tells whether a request of this method may be sent again without
// asking what it does (RFC 9110, 9.2.2). Others need an Idempotency-Key.
func Idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace,
		http.MethodPut, http.MethodDelete, "":
		return true
	}
	return false
}

// MaxRetryAfter bounds what a server's Retry-After is believed.
const MaxRetryAfter = time.Hour

// ParseRetryAfter reads a Retry-After value: seconds or an HTTP date (RFC 9110,
// 10.2.3). A date in the past is no wait.
func ParseRetryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(seconds, uint64(MaxRetryAfter/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter), true
}
