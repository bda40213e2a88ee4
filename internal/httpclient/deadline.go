package httpclient

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// TimeoutHeader carries how long the caller is going to wait, in whole
// milliseconds. It is a span and not a time of day, because clocks differ. The
// way to the callee is not in it.
const TimeoutHeader = "X-Request-Timeout"

// maxTimeout is the longest that a header may say; more is taken for garbage.
const maxTimeout = 24 * time.Hour

// FormatTimeout writes a time-out as a value of TimeoutHeader.
func FormatTimeout(left time.Duration) string {
	return strconv.FormatInt(max(left.Milliseconds(), 0), 10)
}

// ParseTimeout reads a value of TimeoutHeader.
func ParseTimeout(value string) (time.Duration, bool) {
	ms, err := strconv.ParseUint(value, 10, 32)
	if err != nil || ms > uint64(maxTimeout/time.Millisecond) {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}

// SetTimeout tells the callee how much of the deadline is left. What comes from
// further up is replaced: the context knows it too. The error is the context's: it
// has ended, or is about to.
func SetTimeout(ctx context.Context, h http.Header) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		h.Del(TimeoutHeader)
		return ctx.Err()
	}
	left := time.Until(deadline)
	if left <= 0 {
		return context.DeadlineExceeded
	}
	h.Set(TimeoutHeader, FormatTimeout(max(left, time.Millisecond)))
	return ctx.Err()
}

// Deadline returns a handler that gives the context of each request a deadline:
// what the caller says in TimeoutHeader, but at most most, which also holds for
// callers that say nothing or nonsense. most 0 means no bound of our own. The
// handler answers with whatever it finds right when its context is done.
func Deadline(most time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timeout, given := ParseTimeout(r.Header.Get(TimeoutHeader))
		switch {
		case !given && most <= 0:
			next.ServeHTTP(w, r)
			return
		case !given || most > 0 && most < timeout:
			timeout = most
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
