package edge

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/guard"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/edge/routes"
)

// An edge is what all listeners of the process share.
type edge struct {
	cfg     *Config
	log     *slog.Logger
	sites   *sites
	guard   *guard.Guard
	certs   *certs.Store
	metrics *metrics
	access  *accessLog
	workers *workers
	tracer  trace.Tracer // nil: traces are not exported
	trusted []netip.Prefix
	limits  front.Limits // of HTTP/1.1 connections

	// always is put into every answer over TLS 1.2 and 1.3 over TCP:
	// Strict-Transport-Security and Alt-Svc, as lines of a head.
	always []byte
	hsts   string
	altSvc string

	found   chan struct{} // closed when the upstreams have replicas, or had none in time
	closing atomic.Bool   // answers ask clients to leave
	dates   front.Dates
}

// elsewhere is the HTTP/3 address of an edge whose fellow behind the same public
// port serves HTTP/3 for both.
const elsewhere = "elsewhere"

// announce prepares what answers say about this edge. http3 tells whether
// HTTP/3 is served on the public port.
func (e *edge) announce(http3 bool) {
	if e.cfg.HSTS != "off" && e.cfg.HSTS != "" {
		e.hsts = e.cfg.HSTS
		e.always = append(e.always, "Strict-Transport-Security: "+e.hsts+"\r\n"...)
	}
	if http3 {
		e.altSvc = `h3=":` + strconv.Itoa(e.cfg.PublicPort) + `"; ma=86400`
		e.always = append(e.always, "Alt-Svc: "+e.altSvc+"\r\n"...)
	}
}

// find returns the route of a request, also when it does not take the method. The
// site is the one that host was found in.
func (s *site) find(host *routes.Host, target, method string) (*route, *problem.Problem) {
	path := target
	for i := range len(path) {
		if path[i] == '?' {
			path = path[:i]
			break
		}
	}
	comparable, ok := routes.Comparable(path)
	if !ok {
		return nil, problem.New(http.StatusBadRequest, "malformed-path", "the path has dot segments or a broken percent-encoding")
	}
	r := host.Route(comparable)
	if r == nil {
		return nil, problem.New(http.StatusNotFound, "no-route", "this host has nothing at that path")
	}
	bound := s.routes[r.Index]
	if !r.Allows(method) {
		return bound, notAllowed("from here this path can be asked with "+bound.methods+" only", bound.methods)
	}
	return bound, nil
}

func notAllowed(detail, allow string) *problem.Problem {
	p := problem.New(http.StatusMethodNotAllowed, "method-not-allowed", detail)
	p.Allow = allow
	return p
}

// host returns the virtual host of a Host field. sni is the server name of the
// handshake, or "".
func (e *edge) host(s *site, field, sni string) (*routes.Host, *problem.Problem) {
	name, ok := routes.HostName(field)
	if !ok {
		return nil, problem.New(http.StatusBadRequest, "malformed-request", "the Host field is malformed")
	}
	host := s.table.Host(name)
	if host == nil {
		return nil, problem.New(http.StatusMisdirectedRequest, "unknown-host", "this server serves no such host")
	}
	// A client may use a connection for every name that its certificate carries
	// (RFC 9113, 9.1.1), and for no other.
	if sni != "" && sni != name {
		cert, err := e.certs.Get(&tls.ClientHelloInfo{ServerName: sni})
		if err != nil || cert.Leaf.VerifyHostname(name) != nil {
			return nil, problem.New(http.StatusMisdirectedRequest, "misdirected", "the certificate of this connection is not for that host; open another connection")
		}
	}
	return host, nil
}

// unacceptable are methods that no upstream is asked with.
func unacceptable(method string) *problem.Problem {
	switch method {
	case http.MethodConnect, http.MethodTrace:
		return notAllowed("this server does not do "+method, front.PassedMethods)
	}
	return nil
}

// finish tells log, metrics and trace how a request ended.
func (e *edge) finish(r *route, entry *entry, span trace.Span) {
	entry.took = time.Since(entry.at)
	if r != nil {
		entry.route = r.label
		r.observe(entry.protocol, entry.status, entry.took)
	} else {
		e.metrics.refused.observe(entry.protocol, entry.status, entry.took)
	}
	e.access.add(entry)
	if span != nil {
		front.EndSpan(span, entry.status)
	}
}
