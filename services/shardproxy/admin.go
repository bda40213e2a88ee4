package shardproxy

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

// routes adds the paths of the administration. Each needs the token, or loopback.
func (p *proxy) routes(add func(pattern string, h http.Handler)) {
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /v1/shards":                  p.handleShards,
		"GET /v1/layout":                  p.handleLayout,
		"POST /v1/plan":                   p.handlePlan,
		"POST /v1/shards/{name}/drain":    func(w http.ResponseWriter, r *http.Request) { p.handleState(w, r, true) },
		"POST /v1/shards/{name}/activate": func(w http.ResponseWriter, r *http.Request) { p.handleState(w, r, false) },
		"GET /status":                     p.handlePage,
		"GET /status.css":                 handleStyle,
	} {
		add(pattern, handle)
	}
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // who asked is gone when this fails
}

// handleShards lists the shards, or says where a key belongs.
func (p *proxy) handleShards(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case query.Has("session"):
		p.handleSession(w, query)
		return
	case !query.Has("key"):
		answer(w, p.report())
		return
	}
	key := query.Get("key")
	if len(key) > 16<<10 {
		problem.New(http.StatusBadRequest, "bad-request", "the key is longer than 16 KiB").Write(w)
		return
	}
	answer(w, p.locate(p.table.Load(), []byte(key)))
}

// A layoutReport is the layout at work.
type layoutReport struct {
	ID       string        `json:"id"`
	Source   string        `json:"source"`
	Loaded   time.Time     `json:"loaded"`
	Broken   string        `json:"file_refused,omitempty"` // why the file last read was not taken
	Key      string        `json:"key"`
	Function string        `json:"function"`
	Bounded  float64       `json:"bounded_load"`
	Shards   []layoutShard `json:"shards"`
}

type layoutShard struct {
	Name     string `json:"name"`
	Weight   int    `json:"weight"`
	State    string `json:"state"`
	Replicas string `json:"replicas"`
}

// handleLayout tells the layout at work. Its shards, key, function and bound can be changed
// and sent to POST /v1/plan.
func (p *proxy) handleLayout(w http.ResponseWriter, _ *http.Request) {
	t := p.table.Load()
	l := layoutReport{ID: t.id, Source: t.source, Loaded: t.loaded, Key: t.key.String(), Function: t.Function, Bounded: t.Layout.Bounded}
	for _, s := range t.Shards {
		one := layoutShard{s.Name, s.Weight, layout.Active, s.Replicas}
		if s.Draining {
			one.State = layout.Draining
		}
		l.Shards = append(l.Shards, one)
	}
	p.mu.Lock()
	if p.broken != nil {
		l.Broken = p.broken.Error()
	}
	p.mu.Unlock()
	w.Header().Set("ETag", `"`+t.id+`"`)
	answer(w, l)
}

// handlePlan says what a layout would move, and with apply=true puts it to work.
func (p *proxy) handlePlan(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, layout.MaxFile))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		problem.New(http.StatusRequestEntityTooLarge, "body-too-large", "a layout has at most 1 MiB").Write(w)
		return
	case err != nil:
		problem.New(http.StatusBadRequest, "body-incomplete", "the layout did not arrive").Write(w)
		return
	}
	apply, wrong := yes(r.URL.Query().Get("apply"))
	if wrong != nil {
		wrong.Write(w)
		return
	}
	id := p.table.Load().id
	if match := r.Header.Get("If-Match"); match != "" && match != "*" && strings.Trim(match, `"`) != id {
		changed().Write(w)
		return
	}
	next, plan, err := p.plan(text)
	if err != nil {
		problem.New(http.StatusBadRequest, "layout-invalid", err.Error()).Write(w)
		return
	}
	if apply {
		p.announce(plan, "api")
		if wrong := p.applied(p.apply(next, "api", id)); wrong != nil {
			wrong.Write(w)
			return
		}
		plan.Applied = true
	}
	answer(w, plan)
}

func yes(text string) (bool, *problem.Problem) {
	switch text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, problem.New(http.StatusBadRequest, "bad-request", "apply is true or false")
}

func changed() *problem.Problem {
	return problem.New(http.StatusPreconditionFailed, "layout-changed", "the layout at work is another one by now: get it again")
}

// applied counts how a change by the API ended, and explains a failure.
func (p *proxy) applied(err error) *problem.Problem {
	if err == nil {
		p.metrics.changes.WithLabelValues("api", "applied").Inc()
		return nil
	}
	p.metrics.changes.WithLabelValues("api", "refused").Inc()
	if errors.Is(err, errChanged) {
		return changed()
	}
	p.log.Error("layout not applied", "error", err)
	return problem.New(http.StatusInternalServerError, "internal", "the layout could not be put to work; the log tells why")
}

// handleState drains a shard, or makes it active again.
func (p *proxy) handleState(w http.ResponseWriter, r *http.Request, draining bool) {
	t := p.table.Load()
	next, wrong := t.with(r.PathValue("name"), draining)
	if wrong != nil {
		wrong.Write(w)
		return
	}
	placement, plan, err := p.compare(next)
	if err != nil {
		p.applied(err).Write(w)
		return
	}
	p.announce(plan, "api")
	if wrong := p.applied(p.apply(placement, "api", t.id)); wrong != nil {
		wrong.Write(w)
		return
	}
	plan.Applied = true
	answer(w, plan)
}

// with is the layout of the table with another state of one shard.
func (t *table) with(name string, draining bool) (*layout.Layout, *problem.Problem) {
	next := *t.Layout
	next.Shards = append([]layout.Shard(nil), t.Shards...)
	found, active := false, 0
	for i := range next.Shards {
		if next.Shards[i].Name == name {
			found, next.Shards[i].Draining = true, draining
		}
		if !next.Shards[i].Draining {
			active++
		}
	}
	switch {
	case !found:
		return nil, problem.New(http.StatusNotFound, "shard-not-found", "there is no shard of that name; GET /v1/shards lists them")
	case active == 0:
		return nil, problem.New(http.StatusConflict, "last-shard", "it is the last shard that does not drain: nobody would get a request")
	}
	return &next, nil
}
