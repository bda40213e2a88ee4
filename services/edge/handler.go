package edge

import (
	"crypto/tls"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/hop"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/edge/routes"
)

// A handler answers requests over HTTP/2 and HTTP/3. net/http and quic-go have
// read the head; from there on the way is the same as for HTTP/1.1.
type handler struct {
	*edge
	protocol protocol
}

// A stream is one request over HTTP/2 or HTTP/3.
type stream struct {
	*handler
	*session
	w     http.ResponseWriter
	r     *http.Request
	x     hop.Exchange
	body  streamBody
	entry entry
	span  trace.Span
	abort bool          // the answer was cut short
	done  chan struct{} // of capacity 1: serve has returned
}

var streams = sync.Pool{New: func() any { return &stream{done: make(chan struct{}, 1)} }}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	shared := sessionOf(r)
	shared.seat.enter()
	defer shared.seat.leave()
	s, _ := streams.Get().(*stream)
	s.handler, s.session, s.w, s.r, s.span, s.abort = h, shared, w, r, nil, false
	h.workers.do(s)
	abort := s.abort
	// What is kept for the next stream is buffers only.
	s.session, s.w, s.r, s.body, s.entry = nil, nil, nil, streamBody{}, entry{}
	s.x.Gone, s.x.Interim, s.x.Body = nil, nil, nil
	streams.Put(s)
	if abort {
		panic(http.ErrAbortHandler) // resets the stream
	}
}

// serveSafely keeps a mistake of ours to the one stream that met it.
func (s *stream) serveSafely() {
	defer func() {
		if mistake := recover(); mistake != nil {
			s.abort = true
			s.log.Error("request panicked", "panic", mistake, "stack", string(debug.Stack()))
		}
	}()
	s.serve()
}

func (s *stream) serve() {
	r := s.r
	s.entry = entry{
		at: time.Now(), protocol: s.protocol, client: s.peer.text, method: []byte(r.Method),
		host: []byte(r.Host), target: []byte(r.RequestURI), agent: []byte(r.UserAgent()),
	}
	route, wrong := s.route()
	if wrong != nil {
		s.refuse(route, wrong)
		return
	}
	err := s.prepare(route)
	if err == nil {
		s.x.Gone = func() bool { return r.Context().Err() != nil }
		s.x.Interim = s.interim
		err = route.upstream.Do(&s.x)
	}
	if err != nil {
		s.entry.retries = s.x.Retries
		if wrong := front.Explain(err, theService); wrong != nil {
			s.refuse(route, wrong)
			return
		}
		s.gaveUp(route)
		return
	}
	s.entry.status, s.entry.retries, s.entry.waited = s.x.Response.Status, s.x.Retries, s.x.Waited
	s.entry.upstream = s.x.Endpoint()
	err = s.relay()
	s.x.Finish()
	if err != nil {
		s.gaveUp(route)
		return
	}
	s.finish(route, &s.entry, s.span)
}

// gaveUp ends the account of a request that cannot be answered, and resets the
// stream: an answer cut short must not look complete.
func (s *stream) gaveUp(r *route) {
	if s.entry.status == 0 {
		s.entry.status = statusGone
	}
	s.abort = true
	s.finish(r, &s.entry, s.span)
}

func (s *stream) route() (*route, *problem.Problem) {
	var host *routes.Host
	site := s.sites.current.Load()
	host, wrong := s.host(site, s.r.Host, s.sni)
	if wrong != nil {
		return nil, wrong
	}
	if wrong := unacceptable(s.r.Method); wrong != nil {
		return nil, wrong
	}
	if !strings.HasPrefix(s.r.RequestURI, "/") && s.r.RequestURI != "*" {
		return nil, problem.New(http.StatusBadRequest, "malformed-request", "the request target is malformed")
	}
	if len(s.r.RequestURI) > h1.MaxTarget {
		return nil, problem.New(h1.ErrTargetLength.Status, h1.ErrTargetLength.Name, h1.ErrTargetLength.Detail)
	}
	return site.find(host, s.r.RequestURI, s.r.Method)
}

// serverName is the SNI of a connection, in the form of host names.
func serverName(state tls.ConnectionState) string {
	name, _ := routes.HostName(state.ServerName)
	return name
}

// refuse answers with a problem.
func (s *stream) refuse(route *route, p *problem.Problem) {
	s.entry.status = p.Status
	s.announceOn(s.w.Header())
	p.Write(s.w)
	s.finish(route, &s.entry, s.span)
}

func (s *stream) announceOn(h http.Header) {
	if s.hsts != "" {
		h["Strict-Transport-Security"] = []string{s.hsts}
	}
	if s.altSvc != "" && s.protocol == http2 {
		h["Alt-Svc"] = []string{s.altSvc}
	}
}
