package experiment

import (
	"net/http"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
)

// Field says in every answer which arm made it, as an item of structured fields (RFC 9651): the experiment's name
// or production, and, where production stands in for an experiment, for which and why. Requests to arms carry it
// too, with the name alone; a client's own is replaced.
//
//	X-Experiment: next
//	X-Experiment: production
//	X-Experiment: production;instead-of=next;reason=unavailable
const Field = "X-Experiment"

func (x *exchange) field() string {
	if x.reason == "" {
		return x.servedBy
	}
	return x.servedBy + ";instead-of=" + x.trial.Name + ";reason=" + x.reason
}

// mark says in an answer who made it, gives a new user the cookie, and tells caches on the way what the answer
// depends on.
func (s *Server) mark(h http.Header, x *exchange) {
	h.Set(Field, x.field())
	if x.layer == nil || !open(x.trials) && x.trial == nil {
		return
	}
	switch x.layer.Sticky.By {
	case plan.ByCookie:
		vary(h, "Cookie")
		if x.id.Minted {
			// A cache may keep an answer with Set-Cookie (RFC 9111, 7.3) and give one identity to many.
			private(h)
			h.Add("Set-Cookie", s.source.SetCookie(x.id))
		}
	case plan.ByHeader:
		vary(h, x.layer.Sticky.Header)
	case plan.ByAddress: // which no field of a request shows
		private(h)
	}
}

// vary adds a field to Vary.
func vary(h http.Header, name string) {
	for item := range strings.SplitSeq(strings.Join(h["Vary"], ","), ",") {
		if item = strings.TrimSpace(item); item == "*" || strings.EqualFold(item, name) {
			return
		}
	}
	h.Add("Vary", name)
}

// private keeps an answer out of caches that many share, and leaves it to those of browsers.
func private(h http.Header) {
	var kept []string
	for item := range strings.SplitSeq(strings.Join(h["Cache-Control"], ","), ",") {
		switch name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(item)), "="); name {
		case "", "public", "s-maxage":
		default:
			kept = append(kept, strings.TrimSpace(item))
		}
	}
	if !slices.ContainsFunc(kept, func(d string) bool { return strings.EqualFold(d, "private") || strings.EqualFold(d, "no-store") }) {
		kept = append(kept, "private")
	}
	h.Set("Cache-Control", strings.Join(kept, ", "))
}
