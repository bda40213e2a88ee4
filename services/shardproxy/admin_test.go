package shardproxy

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/flotilla-dev/flotilla/internal/openapi"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/shardproxy/reshard"
)

func TestWrongLayoutsAreNamedAndChangeNothing(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", nil)
	w := start(t, entry("a", a.addr()), nil)
	var before layoutReport
	w.admin(http.MethodGet, "/v1/layout", "", 200, &before)
	for body, c := range map[string]struct {
		status int
		kind   string
	}{
		"shards: [{name: a}]":      {400, "layout-invalid"},
		"\x00":                     {400, "layout-invalid"},
		strings.Repeat("#", 2<<20): {413, "body-too-large"},
	} {
		resp, text := processtest.Do(t, http.DefaultClient, http.MethodPost, "http://"+w.Admin+"/v1/plan?apply=true", body)
		if resp.StatusCode != c.status || !strings.Contains(text, c.kind) {
			t.Errorf("%.20q: %d %s", body, resp.StatusCode, text)
		}
	}
	good := "shards:\n" + entry("a", a.addr())
	w.admin(http.MethodPost, "/v1/plan?apply=perhaps", good, 400, nil)
	w.admin(http.MethodPost, "/v1/plan?apply=true", good, 412, nil, "If-Match", `"0123"`)
	w.admin(http.MethodPost, "/v1/shards/none/drain", "", 404, nil)
	w.admin(http.MethodPost, "/v1/shards/a/drain", "", 409, nil)
	w.admin(http.MethodGet, "/v1/shards?key="+strings.Repeat("a", 17<<10), "", 400, nil)
	var after layoutReport
	w.admin(http.MethodGet, "/v1/layout", "", 200, &after)
	if after.ID != before.ID || after.Source != "file" || w.from("/") != "a" {
		t.Errorf("%+v became %+v", before, after)
	}
}

func TestABrokenFileIsToldAndTheOldShardsStay(t *testing.T) {
	t.Parallel()
	a := newReplica(t, "a", nil)
	w := start(t, entry("a", a.addr()), nil)
	w.write("- {name: b, replicas: nowhere}\n- {name: b, weight: 0, state: gone, replicas: \"${PATH}\"}\n")
	var now layoutReport
	w.eventually("told", func() bool {
		w.admin(http.MethodGet, "/v1/layout", "", 200, &now)
		return now.Broken != ""
	})
	for _, part := range []string{"nowhere", "there twice", "weight 0", `state "gone"`, "SHARDPROXY_UPSTREAM_"} {
		if !strings.Contains(now.Broken, part) {
			t.Errorf("%q is not named in %s", part, now.Broken)
		}
	}
	if from := w.from("/"); from != "a" {
		t.Error(from)
	}
	if _, page := processtest.Get(t, "http://"+w.Admin+"/status"); !strings.Contains(page, "there twice") {
		t.Error("the page does not tell")
	}
	w.write(entry("a", a.addr()))
	w.eventually("mended", func() bool {
		var now layoutReport
		w.admin(http.MethodGet, "/v1/layout", "", 200, &now)
		return now.Broken == ""
	})
}

func TestAWrongFileOrParameterAtTheStartIsAnError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		env  map[string]string
		want string
	}{
		"no file":      {"", nil, "no such file"},
		"wrong layout": {"shards: []", nil, "want 1 to 256"},
		"variable":     {"shards: [{name: a, replicas: '${SHARDPROXY_UPSTREAM_A}'}]", nil, "SHARDPROXY_UPSTREAM_A is not set"},
		"parameters": {"shards: []", map[string]string{"SHARDPROXY_WINDOW": "1ms", "SHARDPROXY_SHARD_CA_FILE": "x", "SHARDPROXY_SHARD_FIELD": "a b", "EJECT_AFTER": "-1",
			"SHARDPROXY_CONNECTIONS": "0"}, "SHARDPROXY_WINDOW|SHARDPROXY_SHARD_TLS|SHARDPROXY_SHARD_FIELD|EJECT_AFTER|SHARDPROXY_CONNECTIONS"},
		"countries": {"shards: []", map[string]string{"SHARDPROXY_COUNTRY_FILE": "/nowhere.csv"}, "countries"},
	} {
		file := t.TempDir() + "/shards.yaml"
		if c.text != "" {
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		all := map[string]string{"SHARDPROXY_CONFIG_FILE": file}
		for k, v := range c.env {
			all[k] = v
		}
		err := Run(t.Context(), processtest.Parse[Config](t, Program, all))
		for _, part := range strings.Split(c.want, "|") {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is not in %v", name, part, err)
			}
		}
	}
}

// A plan says what will move, on synthetic keys and on those that were seen, and does
// nothing unless it is asked to.
func TestAPlanTellsAndIsAppliedOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	text, _ := three(t, nil)
	d := newReplica(t, "d", nil)
	w := start(t, text, nil)
	const n = 200
	for i := range n {
		w.get(fmt.Sprintf("/%d", i))
	}
	next := "shards:\n" + text + entry("d", d.addr())
	var p reshard.Plan
	w.admin(http.MethodPost, "/v1/plan", next, 200, &p)
	if p.Applied || p.From.Shards != 3 || p.To.Shards != 4 || p.Synthetic.Keys != reshard.Synthetic || p.Synthetic.Needless != 0 {
		t.Errorf("%+v", p)
	}
	if s := p.Synthetic.MovedShare; s < 0.15 || s > 0.35 {
		t.Errorf("%v of the synthetic keys move, want about a quarter", s)
	}
	if p.Recent == nil || p.Recent.Keys != n || p.Recent.StandFor != 1 {
		t.Fatalf("%+v", p.Recent)
	}
	moves := 0
	for _, m := range p.Recent.Moves {
		if m.To != "d" {
			t.Errorf("needlessly: %+v", m)
		}
		moves += m.Keys
	}
	if moves != p.Recent.Moved {
		t.Errorf("%d moves listed, %d counted", moves, p.Recent.Moved)
	}
	if len(w.shards()) != 3 {
		t.Error("the plan was applied")
	}
	var now layoutReport
	w.admin(http.MethodGet, "/v1/layout", "", 200, &now)
	w.admin(http.MethodPost, "/v1/plan?apply=true", next, 200, &p, "If-Match", `"`+now.ID+`"`)
	if !p.Applied || len(w.shards()) != 4 {
		t.Error("the plan was not applied")
	}
	moved := 0
	for i := range n { // and what was said comes true
		if resp, _ := w.get(fmt.Sprintf("/%d", i)); resp.Header.Get("X-Shard") == "d" {
			moved++
		}
	}
	if moved != p.Recent.Moved {
		t.Errorf("%d keys moved, %d were planned", moved, p.Recent.Moved)
	}
	w.admin(http.MethodPost, "/v1/plan", "key: path\n"+next, 200, &p)
	if p.Recent != nil || !strings.Contains(strings.Join(p.Notes, " "), "keys are made in another way") {
		t.Errorf("another key: %+v", p)
	}
}

func TestTheStateOfShardsIsMeasured(t *testing.T) {
	t.Parallel()
	hits := false
	a := newReplica(t, "a1", func(w http.ResponseWriter, r *http.Request) {
		status := "upstream; hit, mine; fwd=uri-miss"
		if hits {
			status = `other; fwd=miss; detail="; hit", mine; hit; ttl=5`
		}
		w.Header().Set("Cache-Status", status)
	})
	b := newReplica(t, "b1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	text := entry("a", a.addr()) + "- {name: b, weight: 3, replicas: \"" + b.addr() + "\"}\n"
	w := start(t, text, map[string]string{"SHARDPROXY_WINDOW": "1h"})
	ofA, ofB := pathOf(t, text, "a"), pathOf(t, text, "b")
	w.get(ofA)
	hits = true
	for range 3 {
		w.get(ofA)
	}
	for range 4 {
		w.get(ofB)
	}
	one, other := w.shard("a"), w.shard("b")
	if one.Requests != 4 || one.Errors != 0 || one.Share != 0.5 || one.Expected != 0.25 || one.Hits != 3 || one.Misses != 1 || one.HitRatio == nil || *one.HitRatio != 0.75 ||
		one.P99 <= 0 || one.P50 > one.P99 || one.Rate <= 0 || len(one.Replicas) != 1 || !one.Replicas[0].Usable {
		t.Errorf("%+v", one)
	}
	if other.Requests != 4 || other.Errors != 4 || other.Weight != 3 || other.HitRatio != nil {
		t.Errorf("%+v", other)
	}
	_, metrics := processtest.Get(t, "http://"+w.Admin+"/metrics")
	for _, line := range []string{
		`shardproxy_shard_load_share{shard="a"} 0.5`, `shardproxy_cache_answers_total{result="hit",shard="a"} 3`, `shardproxy_cache_hit_ratio{shard="a"} 0.75`,
		`shardproxy_shard_state{shard="a",state="active"} 1`, `http_server_request_duration_seconds_count{code="5xx",shard="b"} 4`, `shardproxy_shard_weight{shard="b"} 3`,
		`shardproxy_recent_keys 2`, `shardproxy_connections{state="idle"}`, `upstream_requests_total{`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s", line)
		}
	}
	resp, page := processtest.Get(t, "http://"+w.Admin+"/status")
	if resp.StatusCode != 200 || !strings.Contains(page, "75.0 %") || !strings.Contains(page, "nginx") || !strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %s", resp.StatusCode, page)
	}
	if resp, _ := processtest.Get(t, "http://"+w.Admin+"/status.css"); resp.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Error(resp.Header)
	}
}

func TestTheAdministrationNeedsItsToken(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/token"
	if err := os.WriteFile(file, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newReplica(t, "a", nil)
	w := start(t, entry("a", a.addr()), map[string]string{"ADMIN_TOKEN_FILE": file})
	p := &proxy{}
	p.routes(func(pattern string, _ http.Handler) {
		method, path, _ := strings.Cut(pattern, " ")
		w.admin(method, strings.Replace(path, "{name}", "a", 1), "", 401, nil)
	})
	w.admin(http.MethodGet, "/v1/shards", "", 200, nil, "Authorization", "Bearer 0123456789abcdef")
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var routes []*echo.Route
	(&proxy{}).routes(func(pattern string, _ http.Handler) {
		method, path, _ := strings.Cut(pattern, " ")
		routes = append(routes, &echo.Route{Method: method, Path: strings.ReplaceAll(strings.ReplaceAll(path, "{", ":"), "}", "")})
	})
	diff, err := openapi.Diff(document, routes)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}
