package rfc9111

import "time"

// Verdict is what may be done with a stored response.
type Verdict uint8

// The verdicts.
const (
	// Fresh: send it.
	Fresh Verdict = iota
	// StaleAllowed: the client accepts it stale (max-stale), and nothing forbids that.
	StaleAllowed
	// StaleWhileRevalidate: send it, and revalidate in the background.
	StaleWhileRevalidate
	// Validate: ask upstream first.
	Validate
)

// Judge is RFC 9111 4: may this stored response answer this request without asking upstream?
func (m *Meta) Judge(rq *Directives, now time.Time) Verdict {
	if m.Directives.NoCache || rq.NoCache {
		return Validate
	}
	age := m.Age(now)
	if rq.MaxAge.Valid && age > rq.MaxAge.Duration() && !rq.tolerates(age-rq.MaxAge.Duration()) {
		return Validate
	}
	ttl := m.Lifetime - age
	if ttl > 0 {
		if rq.MinFresh.Valid && ttl < rq.MinFresh.Duration() {
			return Validate
		}
		return Fresh
	}
	if rq.MinFresh.Present || rq.MaxAge.Present && !rq.tolerates(0) {
		return Validate
	}
	if -ttl < m.StaleRevalidate {
		return StaleWhileRevalidate
	}
	if rq.tolerates(-ttl) && !m.forbidsStale() {
		return StaleAllowed
	}
	return Validate
}

// tolerates reports whether max-stale of the request covers this staleness.
func (d *Directives) tolerates(staleness time.Duration) bool {
	return d.MaxStaleAny || d.MaxStale.Valid && staleness <= d.MaxStale.Duration()
}

// forbidsStale: RFC 9111 4.2.4.
func (m *Meta) forbidsStale() bool {
	cc := &m.Directives
	return cc.NoCache || cc.MustRevalidate || cc.ProxyRevalidate || cc.SMaxAge.Present
}

// MayReplaceError reports whether the stored response may be sent instead of an upstream error: within
// stale-if-error of the response (or the operator's grace), or of the request.
func (m *Meta) MayReplaceError(rq *Directives, now time.Time) bool {
	ttl := m.TTL(now)
	if ttl > 0 && !m.Directives.NoCache {
		return true
	}
	if -ttl < max(m.StaleError, m.StaleRevalidate) {
		return true
	}
	return rq.StaleIfError.Valid && -ttl < rq.StaleIfError.Duration() && !m.forbidsStale()
}

// MustReport504 reports whether a cache that cannot reach upstream has to answer 504 (5.2.2.2).
func (m *Meta) MustReport504() bool {
	return m.Directives.MustRevalidate || m.Directives.ProxyRevalidate || m.Directives.SMaxAge.Present || m.Directives.NoCache
}
