// Package loadstest has a sharding proxy for tests: as much of its administration as loads reads and changes, on a real
// socket. The proof of the pattern runs against real ones.
package loadstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Token is what a proxy demands.
const Token = "token-of-the-proxies"

// A Shard is one of a proxy.
type Shard struct {
	Name     string
	Replicas string  // an address
	Rate     float64 // per second
	P99      float64 // seconds
	Requests uint64
	State    string // active when empty
	Leaving  bool   // it still has requests where it was before
}

// A Proxy is a sharding proxy.
type Proxy struct {
	Addr string

	mu      sync.Mutex // guards all below
	shards  []Shard
	version int
	broken  bool
	tamper  func() // called once, before a change is looked at
	refusal string
}

// Start starts a proxy until the end of the test.
func Start(t testing.TB, shards ...Shard) *Proxy {
	t.Helper()
	p := &Proxy{shards: shards}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/shards", p.list)
	mux.HandleFunc("GET /v1/layout", p.layout)
	mux.HandleFunc("POST /v1/plan", p.plan)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case p.isBroken():
			problem(w, http.StatusInternalServerError, "told to fail")
		case r.Header.Get("Authorization") != "Bearer "+Token:
			problem(w, http.StatusUnauthorized, "send the token")
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	p.Addr = server.Listener.Addr().String()
	return p
}

// Change changes a shard.
func (p *Proxy) Change(name string, change func(*Shard)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.shards {
		if p.shards[i].Name == name {
			change(&p.shards[i])
		}
	}
	p.version++
}

// Place tells where a shard is.
func (p *Proxy) Place(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.shards {
		if s.Name == name {
			return s.Replicas
		}
	}
	return ""
}

// Break makes every answer an error, until it is called with false.
func (p *Proxy) Break(is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = is
}

// Refuse makes every change a conflict for that reason, until it is called with "".
func (p *Proxy) Refuse(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusal = why
}

// Tamper calls a function before the next change is looked at.
func (p *Proxy) Tamper(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tamper = f
}

func (p *Proxy) isBroken() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"about:blank","title":"t","status":%d,"detail":%q}`, status, detail)
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client may be gone
}

func (p *Proxy) list(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list, left := []map[string]any{}, []map[string]any{}
	for _, s := range p.shards {
		one := map[string]any{
			"name": s.Name, "weight": 1, "state": "active", "requests_total": s.Requests, "errors_total": 0, "rate_per_second": s.Rate,
			"p50_seconds": s.P99 / 2, "p99_seconds": s.P99, "window_seconds": 5, "in_flight": 0, "share": 0.5,
			"replicas": []map[string]any{{"name": s.Name + "-1", "usable": s.State != "lost"}},
		}
		if s.State != "" {
			one["state"] = s.State
		}
		list = append(list, one)
		if s.Leaving { // listed once more, with what it was before
			left = append(left, map[string]any{"name": s.Name, "state": "leaving", "rate_per_second": s.Rate, "requests_total": s.Requests, "window_seconds": 5})
		}
	}
	answer(w, append(list, left...))
}

func (p *Proxy) tag() string { return fmt.Sprintf(`"v%d"`, p.version) }

func (p *Proxy) layout(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("ETag", p.tag())
	shards := []map[string]any{}
	for _, s := range p.shards {
		shards = append(shards, map[string]any{"name": s.Name, "weight": 1, "state": "active", "replicas": s.Replicas})
	}
	answer(w, map[string]any{"id": strings.Trim(p.tag(), `"`), "source": "file", "key": "uri", "function": "nginx", "bounded_load": 0, "shards": shards})
}

func (p *Proxy) plan(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	tamper, refusal := p.tamper, p.refusal
	p.tamper = nil
	p.mu.Unlock()
	if refusal != "" {
		problem(w, http.StatusConflict, refusal)
		return
	}
	if tamper != nil {
		tamper()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Header.Get("If-Match") != p.tag() {
		problem(w, http.StatusPreconditionFailed, "the layout at work is another one by now: get it again")
		return
	}
	var l struct {
		Key      string  `json:"key"`
		Function string  `json:"function"`
		Bounded  float64 `json:"bounded_load"`
		Shards   []struct {
			Name     string `json:"name"`
			Weight   int    `json:"weight"`
			State    string `json:"state"`
			Replicas string `json:"replicas"`
		} `json:"shards"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields() // as a real one
	if err := d.Decode(&l); err != nil || len(l.Shards) != len(p.shards) || l.Key != "uri" || l.Function != "nginx" || r.URL.Query().Get("apply") != "true" {
		problem(w, http.StatusBadRequest, "this is not the layout that was given out")
		return
	}
	for i, s := range l.Shards {
		if s.Name != p.shards[i].Name || s.Weight != 1 || s.State != "active" {
			problem(w, http.StatusBadRequest, "keys would move")
			return
		}
		p.shards[i].Replicas = s.Replicas
	}
	p.version++
	answer(w, map[string]any{"applied": true})
}
