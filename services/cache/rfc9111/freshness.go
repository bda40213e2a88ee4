package rfc9111

import (
	"strings"
	"time"
)

// HTTPDate is the format that we generate (IMF-fixdate).
const HTTPDate = "Mon, 02 Jan 2006 15:04:05 GMT"

// obsoleteDates must be accepted by a recipient (RFC 9110 5.6.7).
var obsoleteDates = [...]string{"Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC}

// ParseDate parses the three forms of an HTTP date. now decides the century of a two-digit year: one that
// looks more than 50 years ahead is in the past.
func ParseDate(s string, now time.Time) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if t, err := time.Parse(HTTPDate, s); err == nil {
		return t.UTC(), true
	}
	for i, layout := range obsoleteDates {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if i == 0 && t.After(now.AddDate(50, 0, 0)) {
			t = t.AddDate(-100, 0, 0)
		}
		return t.UTC(), true
	}
	return time.Time{}, false
}

// Response is a response as received from upstream, with end-to-end fields only.
type Response struct {
	Status int
	Header Header
	// RequestTime and ResponseTime are when the request went out and when its header came in.
	RequestTime, ResponseTime time.Time
}

// Rules is what the operator decides for a route. The zero value is plain RFC 9111.
type Rules struct {
	// TTL, if positive, replaces the freshness lifetime that the origin gave. It never makes a response
	// storable that the origin forbids to store.
	TTL time.Duration
	// NegativeTTL, if positive, is the freshness lifetime of 404 and 410 without explicit freshness.
	NegativeTTL time.Duration
	// Grace, if positive, allows stale answers while revalidating, and ErrorGrace after upstream errors,
	// when the origin says nothing about it. An origin's must-revalidate and the like stay stronger.
	Grace, ErrorGrace time.Duration
	// HeuristicMax bounds heuristic freshness; 0 means no heuristic freshness at all.
	HeuristicMax time.Duration
}

// Meta is what is worked out once when a response is stored, so that a hit needs no parsing.
type Meta struct {
	Directives      Directives
	Date            time.Time
	ResponseTime    time.Time
	InitialAge      time.Duration // corrected_initial_age of RFC 9111 4.2.3
	Lifetime        time.Duration
	Heuristic       bool
	StaleRevalidate time.Duration // how long after expiry a stale answer may go out while revalidating
	StaleError      time.Duration // how long after expiry a stale answer may replace an error
	ETag            string
	LastModified    time.Time
	LastModifiedOK  bool
}

// Derive works out age, lifetime and validators of a response.
func Derive(r Response, rules Rules) Meta {
	m := Meta{Directives: ParseCacheControl(r.Header.Joined("Cache-Control")), ResponseTime: r.ResponseTime}
	m.Date = r.ResponseTime
	if d, ok := ParseDate(r.Header.Get("Date"), r.ResponseTime); ok {
		m.Date = d
	}
	m.InitialAge = initialAge(r, m.Date)
	if etag := trimOWS(r.Header.Get("ETag")); validETag(etag) {
		m.ETag = etag
	}
	m.LastModified, m.LastModifiedOK = ParseDate(r.Header.Get("Last-Modified"), r.ResponseTime)
	m.Lifetime, m.Heuristic = lifetime(r, &m, rules)
	m.StaleRevalidate, m.StaleError = staleWindows(m.Directives, rules)
	return m
}

// initialAge is RFC 9111 4.2.3. An Age that is a list counts by its first member; an invalid one is ignored.
func initialAge(r Response, date time.Time) time.Duration {
	apparent := max(0, r.ResponseTime.Sub(date))
	first, _, _ := strings.Cut(r.Header.Get("Age"), ",")
	age, _ := ParseDeltaSeconds(trimOWS(first))
	corrected := time.Duration(age)*time.Second + r.ResponseTime.Sub(r.RequestTime)
	return max(apparent, corrected)
}

// lifetime is RFC 9111 4.2.1, in its order: s-maxage, max-age, Expires, heuristic.
func lifetime(r Response, m *Meta, rules Rules) (d time.Duration, heuristic bool) {
	if rules.TTL > 0 {
		return rules.TTL, false
	}
	cc := &m.Directives
	switch {
	case cc.SMaxAge.Present:
		return cc.SMaxAge.Duration(), false
	case cc.MaxAge.Present:
		return cc.MaxAge.Duration(), false
	case r.Header.Has("Expires"):
		return expiresLifetime(r, m.Date), false
	case rules.NegativeTTL > 0 && (r.Status == 404 || r.Status == 410):
		return rules.NegativeTTL, false
	}
	return heuristicLifetime(r.Status, m, rules), true
}

// expiresLifetime: an invalid date (especially "0") and contradicting lines mean already expired (5.3).
func expiresLifetime(r Response, date time.Time) time.Duration {
	var expires time.Time
	for _, f := range r.Header {
		if !equalName(f.Name, "Expires") {
			continue
		}
		t, ok := ParseDate(f.Value, r.ResponseTime)
		if !ok || (!expires.IsZero() && !t.Equal(expires)) {
			return 0
		}
		expires = t
	}
	return max(0, expires.Sub(date))
}

// heuristicLifetime is a tenth of the time since the last modification (4.2.2), bounded.
func heuristicLifetime(status int, m *Meta, rules Rules) time.Duration {
	if !m.LastModifiedOK || !(heuristicStatus(status) || m.Directives.Public) {
		return 0
	}
	return max(0, min(m.Date.Sub(m.LastModified)/10, rules.HeuristicMax))
}

// staleWindows follows RFC 9111 4.2.4: no-cache, must-revalidate and proxy-revalidate forbid every stale
// answer. s-maxage implies proxy-revalidate (5.2.2.10) for what the operator configures, but an explicit
// stale-while-revalidate or stale-if-error of the origin beside it (RFC 5861) is the more specific word.
func staleWindows(cc Directives, rules Rules) (revalidate, onError time.Duration) {
	if cc.NoCache || cc.MustRevalidate || cc.ProxyRevalidate {
		return 0, 0
	}
	if !cc.SMaxAge.Present {
		revalidate, onError = rules.Grace, rules.ErrorGrace
	}
	if cc.StaleWhileRevalidate.Present {
		revalidate = cc.StaleWhileRevalidate.Duration()
	}
	if cc.StaleIfError.Present {
		onError = cc.StaleIfError.Duration()
	}
	return revalidate, onError
}

// Age is the current_age of RFC 9111 4.2.3.
func (m *Meta) Age(now time.Time) time.Duration {
	return m.InitialAge + max(0, now.Sub(m.ResponseTime))
}

// TTL is what is left of the freshness lifetime; negative when stale.
func (m *Meta) TTL(now time.Time) time.Duration {
	return m.Lifetime - m.Age(now)
}

// Keep is how long after ResponseTime the response can still be of use: fresh, stale or to be validated.
func (m *Meta) Keep(validation time.Duration) time.Duration {
	keep := m.Lifetime - m.InitialAge + max(m.StaleRevalidate, m.StaleError)
	if m.ETag != "" || m.LastModifiedOK {
		keep = max(keep, validation)
	}
	return keep
}
