package rfc9111

import (
	"strconv"
	"time"
)

// Forward is why a request went upstream, in the words of RFC 9211 2.2. Empty means that it did not.
type Forward string

// The values of fwd.
const (
	ForwardBypass  Forward = "bypass"
	ForwardMethod  Forward = "method"
	ForwardURIMiss Forward = "uri-miss"
	ForwardVary    Forward = "vary-miss"
	ForwardMiss    Forward = "miss"
	ForwardRequest Forward = "request"
	ForwardStale   Forward = "stale"
	ForwardPartial Forward = "partial"
)

// CacheStatus is one member of a Cache-Status field (RFC 9211).
type CacheStatus struct {
	Hit       bool
	Forward   Forward
	FwdStatus int
	HasTTL    bool
	TTL       time.Duration
	Stored    bool
	Collapsed bool
	// Detail is a token of ours, such as hit-for-miss; empty leaves it out.
	Detail string
}

// Append appends the member for the cache of this name (an sf-token).
func (s *CacheStatus) Append(b []byte, name string) []byte {
	b = append(b, name...)
	if s.Hit {
		b = append(b, "; hit"...)
	}
	if s.Forward != "" {
		b = append(b, "; fwd="...)
		b = append(b, s.Forward...)
	}
	if s.FwdStatus != 0 {
		b = append(b, "; fwd-status="...)
		b = strconv.AppendInt(b, int64(s.FwdStatus), 10)
	}
	if s.HasTTL {
		b = append(b, "; ttl="...)
		b = strconv.AppendInt(b, int64(s.TTL/time.Second), 10)
	}
	if s.Stored {
		b = append(b, "; stored"...)
	}
	if s.Collapsed {
		b = append(b, "; collapsed"...)
	}
	if s.Detail != "" {
		b = append(b, "; detail="...)
		b = append(b, s.Detail...)
	}
	return b
}
