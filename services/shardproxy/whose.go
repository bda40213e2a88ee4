package shardproxy

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/shardproxy/contexts"
)

// An example is a request that somebody asks about: it names a session and has a target.
type example struct {
	target, kind, name, session string
}

// Target is that of the request.
func (e *example) Target() []byte { return []byte(e.target) }

// Client is unknown.
func (e *example) Client() netip.Addr { return netip.Addr{} }

// Field is the one that names the session.
func (e *example) Field(name string, n int) ([]byte, bool) {
	switch {
	case n > 0:
	case e.kind == "cookie" && name == "Cookie":
		return []byte(e.name + "=" + e.session), true
	case e.kind == "header" && name == e.name:
		return []byte(e.session), true
	}
	return nil, false
}

// handleSession says where the requests of a session belong, and by which context.
func (p *proxy) handleSession(w http.ResponseWriter, query url.Values) {
	t := p.table.Load()
	if !t.key.UsesContext() {
		problem.New(http.StatusBadRequest, "bad-request", "the key at work, "+t.key.String()+", has no context of a session").Write(w)
		return
	}
	e := &example{target: query.Get("target")}
	e.kind, e.name, _ = strings.Cut(t.key.SessionPart(), ":")
	e.session = query.Get("session")
	session := t.key.AppendSession(nil, e)
	if len(session) == 0 || len(session) > contexts.MaxSession {
		problem.New(http.StatusBadRequest, "bad-request", "want a session of 1 to 256 bytes").Write(w)
		return
	}
	known, err := p.contexts.Get(session, time.Time{})
	if err != nil {
		p.log.Warn("context not found", "error", err)
		p.explain(errNoContext).Write(w)
		return
	}
	key := t.key.Append(nil, e)
	if known.Value != "" {
		key = t.key.AppendIn(nil, e, []byte(known.Value))
	}
	place := p.locate(t, key)
	place.Session = &belongs{string(session), known.Value, known.Origin.String(), time.Since(known.Asked).Seconds()}
	answer(w, place)
}
