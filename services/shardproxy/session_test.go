package shardproxy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
)

// A guide is a service that says where sessions are, as the test says; and the shards hold
// those that the test gives them.
type guide struct {
	server *httptest.Server

	mu      sync.Mutex
	away    bool
	where   map[string]string // context of a session
	asked   int
	onAsk   func(n int)       // called with mu held
	holder  map[string]string // name of the shard that holds a session
	done    map[string]int    // requests that were carried out, by session
	refused int
}

func newGuide(t testing.TB) *guide {
	g := &guide{where: map[string]string{}, holder: map[string]string{}, done: map[string]int{}}
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session := strings.TrimPrefix(r.URL.Path, "/v1/contexts/")
		g.mu.Lock()
		defer g.mu.Unlock()
		g.asked++
		if g.onAsk != nil {
			g.onAsk(g.asked)
		}
		switch at := g.where[session]; {
		case g.away:
			w.WriteHeader(500)
		case at == "":
			w.WriteHeader(404)
		default:
			fmt.Fprintf(w, `{"context": %q}`, at)
		}
	}))
	t.Cleanup(g.server.Close)
	return g
}

// set changes what the guide knows, at once.
func (g *guide) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// shard is a shard that answers 421 for sessions that it does not hold, and carries out
// what is asked for those that it does.
func (g *guide) shard(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		cookie, _ := r.Cookie("player")
		g.mu.Lock()
		defer g.mu.Unlock()
		switch {
		case err != nil || cookie == nil:
			w.WriteHeader(400)
		case g.holder[cookie.Value] != name:
			g.refused++
			w.WriteHeader(http.StatusMisdirectedRequest)
			_, _ = io.WriteString(w, "not here")
		default:
			g.done[cookie.Value]++
			_, _ = io.WriteString(w, name+" "+string(body))
		}
	}
}

// regions are names of contexts that belong to the shards a and b.
func regions(t testing.TB, text string) (ofA, ofB string) {
	p := place(t, "shards:\n"+text)
	for i := 0; ofA == "" || ofB == ""; i++ {
		region := fmt.Sprint("region-", i)
		if p.Shards[p.Home(layout.Of([]byte(region)))].Name == "a" {
			ofA = region
		} else {
			ofB = region
		}
	}
	return ofA, ofB
}

// startWorld starts the program before shards a and b, for sessions whose contexts g knows.
func startWorld(t testing.TB, g *guide, env map[string]string) (w *world, ofA, ofB string) {
	a, b := newReplica(t, "a", g.shard("a")), newReplica(t, "b", g.shard("b"))
	text := entry("a", a.addr()) + entry("b", b.addr())
	all := map[string]string{"SHARDPROXY_CONTEXT_SERVICE": g.server.Listener.Addr().String(), "SHARDPROXY_CONTEXT_TTL": "1h",
		"SHARDPROXY_CONTEXT_TIMEOUT": "20s", "RETRY_ATTEMPTS": "1", "EJECT_AFTER": "0"}
	for name, value := range env {
		all[name] = value
	}
	w = start(t, "key: context:cookie:player\nshards:\n"+text, all)
	ofA, ofB = regions(t, text)
	return w, ofA, ofB
}

// do sends a request of a player.
func (w *world) do(method, player, body string) (*http.Response, string) {
	w.t.Helper()
	return processtest.Do(w.t, http.DefaultClient, method, "http://"+w.Data+"/go", body, "Cookie", "player="+player)
}

func TestWithoutTheServiceForContextsWhatItSaidLastServesAndOthersAreTold(t *testing.T) {
	t.Parallel()
	g := newGuide(t)
	w, ofA, _ := startWorld(t, g, map[string]string{"SHARDPROXY_CONTEXT_TTL": "1ms", "SHARDPROXY_CONTEXT_STALE": "1h"})
	g.set(func() { g.where["known"], g.holder["known"] = ofA, "a" })
	if resp, body := w.do("GET", "known", ""); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	g.set(func() { g.away = true })
	for range 3 {
		if resp, body := w.do("GET", "known", ""); resp.StatusCode != 200 || resp.Header.Get("X-Shard") != "a" {
			t.Errorf("known from before: %d %s", resp.StatusCode, body)
		}
	}
	if resp, body := w.do("GET", "new", ""); resp.StatusCode != 503 || !strings.Contains(body, "context-unavailable") || resp.Header.Get("Retry-After") == "" {
		t.Errorf("not known: %d %s", resp.StatusCode, body)
	}
	w.admin(http.MethodGet, "/v1/shards?session=new", "", 503, nil)
	g.set(func() { g.away = false })
	if resp, body := w.do("GET", "new", ""); resp.StatusCode != 503 || !strings.Contains(body, "session-moving") {
		t.Errorf("back, and nobody holds the session: %d %s", resp.StatusCode, body)
	}
	_, metrics := processtest.Get(t, "http://"+w.Admin+"/metrics")
	for _, line := range []string{`shardproxy_context_lookups_total{outcome="found"} 1`, `outcome="failed"} 2`, `shardproxy_misdirected_total{then="refused"} 1`, "shardproxy_contexts 2"} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s", line)
		}
	}
	if !strings.Contains(metrics, `shardproxy_context_lookups_total{outcome="stale"} `) || strings.Contains(metrics, `{outcome="stale"} 0`) {
		t.Error("what served although it was old is not counted")
	}
}

// A session is at home where its context is, and where that is not known, where it says
// itself: nothing else of a request counts.
func TestNeighboursShareAShard(t *testing.T) {
	t.Parallel()
	g := newGuide(t)
	w, ofA, ofB := startWorld(t, g, nil)
	g.set(func() {
		for i := range 20 {
			north, south, alone := fmt.Sprint("n", i), fmt.Sprint("s", i), fmt.Sprint("alone", i)
			g.where[north], g.holder[north] = ofA, "a"
			g.where[south], g.holder[south] = ofB, "b"
			g.holder[alone] = []string{"a", "b"}[place(t, "shards:\n"+entry("a", "x:1")+entry("b", "x:1")).Home(layout.Of([]byte(alone)))]
		}
	})
	for i := range 20 {
		for _, player := range []string{fmt.Sprint("n", i), fmt.Sprint("s", i), fmt.Sprint("alone", i)} {
			if resp, body := w.do("GET", player, ""); resp.StatusCode != 200 {
				t.Errorf("%s: %d %s", player, resp.StatusCode, body)
			}
		}
	}
	var where whereabouts
	w.admin(http.MethodGet, "/v1/shards?session=n1", "", 200, &where)
	if where.Key != ofA || where.Owner != "a" || where.Session == nil || where.Session.ID != "n1" || where.Session.Context != ofA || where.Session.Origin != "cached" || where.Session.Age <= 0 {
		t.Errorf("%+v %+v", where, where.Session)
	}
	w.admin(http.MethodGet, "/v1/shards?session=alone1", "", 200, &where)
	if where.Key != "alone1" || where.Session.Context != "" {
		t.Errorf("%+v %+v", where, where.Session)
	}
	w.admin(http.MethodGet, "/v1/shards?session=", "", 400, nil)
	w.admin(http.MethodGet, "/v1/shards?session="+strings.Repeat("x", 257), "", 400, nil)
	g.set(func() {
		if g.refused != 0 || g.asked != 60 {
			t.Errorf("%d refused, %d questions", g.refused, g.asked)
		}
	})
}

func TestASessionThatMovedIsFollowedAndNothingIsDoneTwice(t *testing.T) {
	t.Parallel()
	g := newGuide(t)
	w, ofA, ofB := startWorld(t, g, nil)
	g.set(func() { g.where["p"], g.holder["p"] = ofA, "a" })
	expect := func(want, body string) {
		t.Helper()
		if resp, got := w.do("POST", "p", body); resp.StatusCode != 200 || got != want+" "+body {
			t.Errorf("%d %q, want it from %s", resp.StatusCode, got, want)
		}
	}
	expect("a", "one")
	g.set(func() { g.where["p"], g.holder["p"] = ofB, "b" })
	expect("b", strings.Repeat("x", 16<<10)) // a body that is as large as any that is held
	expect("b", "three")
	g.set(func() {
		if g.done["p"] != 3 || g.refused != 1 || g.asked != 2 {
			t.Errorf("%d done, %d refused, %d questions", g.done["p"], g.refused, g.asked)
		}
	})
	// A body that went as it came cannot be sent again; who sent it can.
	g.set(func() { g.where["p"], g.holder["p"] = ofA, "a" })
	large := strings.Repeat("x", 16<<10+1)
	if resp, body := w.do("POST", "p", large); resp.StatusCode != 503 || !strings.Contains(body, "session-moving") || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %.100s", resp.StatusCode, body)
	}
	expect("a", large)
	g.set(func() {
		if g.done["p"] != 4 || g.refused != 2 {
			t.Errorf("%d done, %d refused", g.done["p"], g.refused)
		}
	})
	_, metrics := processtest.Get(t, "http://"+w.Admin+"/metrics")
	for _, line := range []string{`shardproxy_misdirected_total{then="sent_again"} 1`, `shardproxy_misdirected_total{then="refused"} 1`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s", line)
		}
	}
}

// Between the shard that gave the session up and the one that takes it, nobody has it.
func TestASessionOnItsWayIsWaitedFor(t *testing.T) {
	t.Parallel()
	g := newGuide(t)
	w, ofA, ofB := startWorld(t, g, map[string]string{"SHARDPROXY_CONTEXT_MOVE": "1m"})
	g.set(func() {
		g.where["p"], g.holder["p"] = ofA, "" // given up
		g.onAsk = func(n int) {
			switch n {
			case 3:
				g.where["p"] = ofB
			case 5:
				g.holder["p"] = "b"
			}
		}
	})
	if resp, body := w.do("POST", "p", "one"); resp.StatusCode != 200 || body != "b one" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	g.set(func() {
		if g.done["p"] != 1 || g.asked != 5 || g.refused != 4 {
			t.Errorf("%d done, %d questions, %d refused", g.done["p"], g.asked, g.refused)
		}
	})
}

// A shard that has no contexts may have reasons of its own for a 421.
func TestWhereNoContextCountsTheClientGetsThe421(t *testing.T) {
	t.Parallel()
	g := newGuide(t)
	a := newReplica(t, "a", g.shard("a"))
	w := start(t, "key: cookie:player\nshards:\n"+entry("a", a.addr()), nil)
	if resp, body := w.do("GET", "p", ""); resp.StatusCode != 421 || body != "not here" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	w.admin(http.MethodGet, "/v1/shards?session=p", "", 400, nil)
	w, _, _ = startWorld(t, g, nil)
	for _, cookie := range []string{"other=1", "player=" + strings.Repeat("x", 257)} {
		resp, body := processtest.Do(t, http.DefaultClient, "GET", "http://"+w.Data+"/", "", "Cookie", cookie)
		if resp.StatusCode != 421 && resp.StatusCode != 400 {
			t.Errorf("%.20s: %d %s", cookie, resp.StatusCode, body)
		}
	}
	g.set(func() {
		if g.asked != 0 {
			t.Errorf("%d questions", g.asked)
		}
	})
}

func TestAKeyThatNobodyCouldMakeIsRefused(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", nil)
	w := start(t, entry("a", a.addr()), nil)
	resp, body := processtest.Do(t, http.DefaultClient, http.MethodPost, "http://"+w.Admin+"/v1/plan", "key: context:cookie:player\nshards:\n"+entry("a", a.addr()))
	if resp.StatusCode != 400 || !strings.Contains(body, "SHARDPROXY_CONTEXT_SERVICE") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	cfg := processtest.Parse[Config](t, Program, map[string]string{"SHARDPROXY_CONFIG_FILE": "x", "SHARDPROXY_CONTEXT_SERVICE": nettest.Refuse(t),
		"SHARDPROXY_CONTEXT_PATH": "contexts", "SHARDPROXY_CONTEXT_SERVER_NAME": "a/b", "SHARDPROXY_CONTEXT_TTL": "0s", "SHARDPROXY_CONTEXT_ENTRIES": "0", "SHARDPROXY_CONTEXT_CA_FILE": "x", "SHARDPROXY_CONTEXT_TIMEOUT": "0s"})
	err := Run(t.Context(), cfg)
	for _, name := range []string{"PATH", "SERVER_NAME", "TTL", "ENTRIES", "TLS", "TIMEOUT"} {
		if err == nil || !strings.Contains(err.Error(), "SHARDPROXY_CONTEXT_"+name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}
