package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/services/cache/http1"
	"github.com/flotilla-dev/flotilla/services/cache/origin"
	"github.com/flotilla-dev/flotilla/services/cache/policy"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
	"github.com/flotilla-dev/flotilla/services/cache/spool"
	"github.com/flotilla-dev/flotilla/services/cache/store"
)

// statusError is an upstream answer that counts as a failure for those who did not ask for it themselves.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("upstream answered %d", int(e)) }

// depart starts the flight's upstream request in the background.
func (s *Server) depart(x *exchange, f *flight) {
	rq := x.fillRequest(f)
	route, ctx := x.route, x.ctx
	born := s.Store.Begin()
	s.fills.Add(1)
	go func() {
		defer s.fills.Done()
		defer s.Store.End(born)
		defer s.flights.remove(f)
		s.fill(ctx, f, rq, route, born)
	}()
}

// fill makes the request and lands the flight; with a body to store it returns when that is complete.
func (s *Server) fill(ctx context.Context, f *flight, rq *origin.Request, route *policy.Route, born uint64) {
	resp, err := s.Origin.Do(ctx, rq)
	if err == nil && f.base != nil && resp.Status == 304 && !rfc9111.Confirms(resp.Header, &f.base.Meta) {
		// It confirms another response than ours: ask again, for the whole.
		resp.Body.Close()
		rq.Header = dropConditions(rq.Header)
		resp, err = s.Origin.Do(ctx, rq)
	}
	if err != nil {
		f.land(func() { f.err = err })
		return
	}
	switch {
	case f.base != nil && resp.Status == 304:
		resp.Body.Close()
		s.freshen(f, resp, route, born)
	case serverFailed(resp.Status):
		s.landFailure(f, resp)
	default:
		s.landAnswer(ctx, f, resp, route, born)
	}
}

// serverFailed lists what stale-if-error covers (RFC 5861 4).
func serverFailed(status int) bool {
	return status == 500 || status == 502 || status == 503 || status == 504
}

// freshen applies a 304 to the stored object.
func (s *Server) freshen(f *flight, resp *origin.Response, route *policy.Route, born uint64) {
	base := f.base
	r := resp.Response
	r.Status = base.Status
	r.Header = rfc9111.Freshen(base.Header, resp.Header)
	// Age and Date of the 304 count, not what the stored response said.
	if !resp.Header.Has("Date") {
		r.Header = r.Header.Del("Date")
	}
	o := s.object(f, r, route, born)
	o.Body = base.Body
	if !resp.Header.Has("Surrogate-Key") {
		o.Tags = base.Tags
	}
	o.Selecting = base.Selecting
	reason := rfc9111.Storable("GET", f.leader, rfc9111.Response{Status: r.Status, Header: resp.Header}, &o.Meta)
	f.unlessDoomed(func() {
		switch reason {
		case rfc9111.NoStoreResponse, rfc9111.PrivateResponse, rfc9111.VariesOnAll:
			s.Store.Remove(f.key, base)
		default:
			s.Store.Replace(f.key, base, o)
		}
	})
	f.land(func() { f.object, f.status, f.upstream = o, 304, resp.Upstream })
}

// landFailure hands a 5xx to the leader, unless the stored object may stand in for it. The others get an
// error of ours: to let each of them ask a failing upstream again would be a herd.
func (s *Server) landFailure(f *flight, resp *origin.Response) {
	f.land(func() {
		f.err, f.status, f.upstream = statusError(resp.Status), resp.Status, resp.Upstream
		f.solo = resp
		if f.taken {
			f.giveUp()
		}
	})
}

// landAnswer stores what may be stored and passes on the rest.
func (s *Server) landAnswer(ctx context.Context, f *flight, resp *origin.Response, route *policy.Route, born uint64) {
	o := s.object(f, resp.Response, route, born)
	reason := rfc9111.Storable("GET", f.leader, resp.Response, &o.Meta)
	if reason != rfc9111.Store || resp.Length > route.MaxObject {
		if !reason.OfRequest() && route.HitForMiss > 0 {
			f.unlessDoomed(func() { s.Store.MarkMiss(f.key, time.Now().Add(route.HitForMiss)) })
		}
		f.land(func() {
			f.solo, f.status, f.upstream = resp, resp.Status, resp.Upstream
			if f.taken {
				f.giveUp()
			}
		})
		return
	}
	defer resp.Body.Close()
	body := spool.New(resp.Length, route.MaxObject)
	f.land(func() {
		f.object, f.live, f.status, f.upstream, f.stored = o, body, resp.Status, resp.Upstream, !f.doomed
		if !f.taken {
			f.head, _ = body.Reader(0, -1)
		}
	})
	whole, err := body.Fill(ctx, resp.Body)
	switch {
	case err == nil && !body.Passing():
		done := newObject(o)
		done.Body = whole
		f.unlessDoomed(func() { s.Store.Put(f.key, done) })
	case errors.Is(err, spool.ErrNoReader):
	case err != nil:
		s.metrics.brokenBodies.Inc()
		s.Log.Warn("upstream body broke off", "upstream", resp.Upstream, "error", err)
	default: // passed through: too large to be stored
		f.unlessDoomed(func() { s.Store.MarkMiss(f.key, time.Now().Add(route.HitForMiss)) })
	}
}

// object makes the object of a response, without its body.
func (s *Server) object(f *flight, r rfc9111.Response, route *policy.Route, born uint64) *store.Object {
	o := &store.Object{Status: r.Status, Meta: rfc9111.Derive(r, route.Rules), Parts: strings.Clone(f.parts)}
	selector := rfc9111.Selector{Request: f.leader, Offers: f.offers}
	o.Selecting = selector.Selecting(r.Header)
	o.Tags = surrogateKeys(r.Header)
	o.Header = rfc9111.StoredHeader(r.Header, &o.Meta.Directives)
	o.Header = o.Header.Del("Surrogate-Key").Del("Content-Length")
	if !o.Header.Has("Date") {
		o.Header = append(o.Header, rfc9111.Field{Name: "Date", Value: o.Meta.Date.UTC().Format(rfc9111.HTTPDate)})
	}
	for _, field := range o.Header {
		o.Head = http1.AppendField(o.Head, field.Name, field.Value)
	}
	o.MarkBorn(born)
	return o
}

// newObject copies an object that others may be reading already.
func newObject(o *store.Object) *store.Object {
	c := &store.Object{Status: o.Status, Header: o.Header, Head: o.Head, Meta: o.Meta, Selecting: o.Selecting, Parts: o.Parts, Tags: o.Tags}
	c.MarkBorn(o.Born())
	return c
}

// surrogateKeys reads the tags of a response, separated by spaces; at most 64 of 256 bytes count.
func surrogateKeys(h rfc9111.Header) []string {
	keys := strings.Fields(h.Joined("Surrogate-Key"))
	keys = slices.DeleteFunc(keys, func(k string) bool { return len(k) > 256 })
	return keys[:min(len(keys), 64)]
}

// fillRequest is what is asked upstream for a flight: a whole GET in the name of all who wait, so without
// the client's range and preconditions, and with the normalised Accept-Encoding that the variant stands
// for. All strings are copies.
func (x *exchange) fillRequest(f *flight) *origin.Request {
	h := dropConditions(rfc9111.EndToEnd(f.leader))
	h = h.Del("Range").Del("If-Range").Del("Expect").Del("Content-Length").Del("Host")
	if enc := rfc9111.NormalEncoding(f.leader.Joined("Accept-Encoding")); enc != "" {
		h = h.Set("Accept-Encoding", enc)
	} else {
		h = h.Del("Accept-Encoding")
	}
	if x.route.IgnoreClient {
		h = h.Del("Cache-Control").Del("Pragma")
	}
	if f.base != nil {
		h = append(h, f.base.Meta.Validators(f.base.Header)...)
	}
	return &origin.Request{Method: "GET", Host: strings.Clone(x.rq.Host), Target: strings.Clone(x.target()), Header: x.outgoing(h)}
}

// outgoing adds what every request upstream gets.
func (x *exchange) outgoing(h rfc9111.Header) rfc9111.Header {
	if x.route.StripCookies {
		h = h.Del("Cookie")
	}
	h = forward(x.s.Trusted, h, x.peer, strings.Clone(x.rq.Host), x.s.ClientTLS)
	via := x.s.via
	if earlier := h.Joined("Via"); earlier != "" {
		via = earlier + ", " + via
	}
	return h.Set("Via", via)
}

func dropConditions(h rfc9111.Header) rfc9111.Header {
	return h.Del("If-None-Match").Del("If-Modified-Since").Del("If-Match").Del("If-Unmodified-Since")
}
