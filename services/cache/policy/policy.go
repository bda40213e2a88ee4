package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/services/cache/limit"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// Policy is a validated set of routes. It is immutable.
type Policy struct {
	// Limits are the rates that clients may have.
	Limits limit.Limits

	routes []*Route // longest prefix first; the last one covers everything
}

// Route is what applies to the paths of one prefix.
type Route struct {
	Name   string
	Prefix string
	// Pass: requests go upstream one by one and nothing is stored.
	Pass bool
	// Session, if not empty, is the cookie whose value picks the replica.
	Session string
	// StripCookies removes Cookie from requests that go upstream, so that no answer can depend on it.
	StripCookies bool
	// IgnoreClient makes the request's Cache-Control count for nothing: a gateway in front of its own
	// origin need not let every reload through.
	IgnoreClient bool
	// MaxObject is the largest body that is stored; larger ones are passed through.
	MaxObject int64
	// HitForMiss is how long after an answer that could not be stored requests are not coalesced.
	HitForMiss time.Duration
	// Accept are the media types that the origin can produce, best first: Vary: Accept then has as many
	// variants as this list, instead of one per browser.
	Accept []string
	Rules  rfc9111.Rules

	ignoreQuery               bool
	query, headers, cookieKey []string
}

// The defaults of routes.
const (
	defaultErrorGrace   = time.Minute
	defaultHeuristicMax = 24 * time.Hour
	defaultHitForMiss   = 10 * time.Second
	defaultMaxObject    = 8 << 20
)

// Default is the policy without a file: plain RFC 9111 for every path, and stale answers for up to a
// minute while upstream fails where the origin does not forbid it.
func Default() *Policy { return compile(file{}) }

func compile(f file) *Policy {
	base := Route{
		MaxObject:  defaultMaxObject,
		HitForMiss: defaultHitForMiss,
		Rules:      rfc9111.Rules{ErrorGrace: defaultErrorGrace, HeuristicMax: defaultHeuristicMax},
	}
	f.Defaults.apply(&base)
	p := &Policy{Limits: f.Limits}
	covered := false
	for _, r := range f.Routes {
		one := base
		one.Name, one.Prefix = r.Name, r.Prefix
		r.settings.apply(&one)
		covered = covered || r.Prefix == "/"
		p.routes = append(p.routes, &one)
	}
	if !covered {
		rest := base
		rest.Name, rest.Prefix = "default", "/"
		p.routes = append(p.routes, &rest)
	}
	slices.SortStableFunc(p.routes, func(a, b *Route) int { return len(b.Prefix) - len(a.Prefix) })
	return p
}

// apply overwrites what is said.
func (s *settings) apply(r *Route) {
	set(&r.Pass, s.Pass)
	set(&r.Session, s.Session)
	set(&r.StripCookies, s.StripCookies)
	set(&r.IgnoreClient, s.IgnoreClient)
	setDuration(&r.Rules.TTL, s.TTL)
	setDuration(&r.Rules.NegativeTTL, s.NegativeTTL)
	setDuration(&r.Rules.Grace, s.Grace)
	setDuration(&r.Rules.ErrorGrace, s.ErrorGrace)
	setDuration(&r.Rules.HeuristicMax, s.HeuristicMax)
	setDuration(&r.HitForMiss, s.HitForMiss)
	if s.MaxObject != nil {
		r.MaxObject = int64(*s.MaxObject)
	}
	if s.Accept != nil {
		r.Accept = s.Accept
	}
	if k := s.Key; k != nil {
		r.ignoreQuery, r.query, r.headers, r.cookieKey = k.IgnoreQuery, k.Query, k.Headers, k.Cookies
	}
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func setDuration(to *time.Duration, from *duration) {
	if from != nil {
		*to = time.Duration(*from)
	}
}

// Routes lists the routes, longest prefix first.
func (p *Policy) Routes() []*Route { return p.routes }

// Match returns the route of a path (without query). There is always one.
func (p *Policy) Match(path string) *Route {
	for _, r := range p.routes {
		if covers(r.Prefix, path) {
			return r
		}
	}
	return p.routes[len(p.routes)-1]
}

func covers(prefix, path string) bool {
	if !strings.HasPrefix(path, prefix) {
		return false
	}
	return len(path) == len(prefix) || prefix[len(prefix)-1] == '/' || path[len(prefix)] == '/'
}

// Target is the path and query that belong to the key: the query as it came, none of it, or the named
// parameters in the order of the policy.
func (r *Route) Target(path, query string) string {
	if query == "" || r.ignoreQuery {
		return path
	}
	if len(r.query) == 0 {
		return path + "?" + query
	}
	b := []byte(path)
	sep := byte('?')
	for _, name := range r.query {
		for rest := query; rest != ""; {
			var param string
			param, rest, _ = strings.Cut(rest, "&")
			if key, _, _ := strings.Cut(param, "="); key == name {
				b = append(append(b, sep), param...)
				sep = '&'
			}
		}
	}
	return string(b)
}

// PlainQuery reports whether the query belongs to the key as it came, so that the caller need not build
// another string.
func (r *Route) PlainQuery() bool { return !r.ignoreQuery && len(r.query) == 0 }

// Parts is what the policy adds to the key of a request: values of headers and cookies. Empty for most.
func (r *Route) Parts(h rfc9111.Header) string {
	if len(r.headers) == 0 && len(r.cookieKey) == 0 {
		return ""
	}
	var b strings.Builder
	for _, name := range r.headers {
		b.WriteString(h.Joined(name))
		b.WriteByte(0)
	}
	for _, name := range r.cookieKey {
		b.WriteString(Cookie(h, name))
		b.WriteByte(0)
	}
	return b.String()
}

// Cookie returns the value of a request's cookie, or "".
func Cookie(h rfc9111.Header, name string) string {
	for _, f := range h {
		if len(f.Name) != len("cookie") || !strings.EqualFold(f.Name, "cookie") {
			continue
		}
		for rest := f.Value; rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			if key, value, ok := strings.Cut(strings.TrimLeft(pair, " \t"), "="); ok && key == name {
				return value
			}
		}
	}
	return ""
}
