package search

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/search/bulkhead"
)

func TestThePageShowsWhatIsFound(t *testing.T) {
	c := newCorpus(t, 2, 1)
	c.add(t, few()...)
	c.add(t, doc("x1", "<script>alert(1)</script> dog", "dog & <b>"))
	r := startRoot(t, c, nil)
	response, body := r.get("/", "q", "dog")
	if response.StatusCode != 200 || !strings.Contains(response.Header.Get("Content-Security-Policy"), "default-src 'none'") || response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", response.StatusCode, response.Header)
	}
	if strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;script&gt;") || !strings.Contains(body, "<mark>dog</mark>") || !strings.Contains(body, "<h1>5 documents</h1>") {
		t.Errorf("%s", body)
	}
	if _, body = r.get("/", "q", "dog pos:noun"); !strings.Contains(body, `href="/?q=dog" aria-current="true"`) {
		t.Errorf("a facet that is on leads back: %s", body)
	}
	if response, body = r.get("/", "q", "dog ("); response.StatusCode != 400 || !strings.Contains(body, "At letter ") {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if response, body = r.get("/"); response.StatusCode != 200 || !strings.Contains(body, "hous*") {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if _, body = r.get("/", "q", "sausge"); !strings.Contains(body, `Did you mean <a href="/?q=sausage">sausage</a>`) {
		t.Errorf("%s", body)
	}
	c.shards[0][0].refuse("", 500, "internal")
	if _, body = r.get("/", "q", "dog"); !strings.Contains(body, "% of the documents were searched: 1 of 2 shards did not answer") {
		t.Errorf("%s", body)
	}
}

func TestHeadIsWhatGetIsWithoutABody(t *testing.T) {
	c := newCorpus(t, 1, 1)
	c.add(t, few()...)
	r := startRoot(t, c, nil)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for path, want := range map[string]int{"/": 200, "/?q=dog": 200, "/v1/search?q=dog": 200, "/v1/search?q=(": 400, "/v1/documents/none": 404, "/v1/status": 200, "/v1/openapi.yaml": 200} {
		response, err := http.Head("http://" + r.Data + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		got, _ := processtest.Get(t, "http://"+r.Data+path)
		if response.StatusCode != want || got.StatusCode != want || response.Header.Get("Content-Type") != got.Header.Get("Content-Type") {
			t.Errorf("%s: HEAD %d %v, GET %d %v, want %d", path, response.StatusCode, response.Header, got.StatusCode, got.Header, want)
		}
	}
}

func TestFacetsLeadToNarrowerQueriesThatMeanWhatTheyShow(t *testing.T) {
	r := &request{text: "dog OR cat"}
	v := narrowed("pos", "noun", 3, r, map[string][]string{"q": {"dog OR cat"}, "after": {"x"}})
	if v.On || v.Href != "/?q=%28dog+OR+cat%29+pos%3Anoun" {
		t.Errorf("%+v", v)
	}
	r.text = "(dog OR cat) pos:noun"
	if v = narrowed("pos", "noun", 3, r, map[string][]string{"q": {r.text}}); !v.On || v.Href != "/?q=dog+OR+cat" {
		t.Errorf("%+v", v)
	}
}

func TestEveryWrongLineIsNamedAndNothingIsWritten(t *testing.T) {
	c := newCorpus(t, 2, 1)
	r := startRoot(t, c, map[string]string{"SEARCH_KAFKA": nettest.Refuse(t)})
	post := func(body string) (*http.Response, string) {
		return processtest.Do(t, http.DefaultClient, http.MethodPost, "http://"+r.Data+"/v1/documents", body)
	}
	response, body := post(`{"id": "a", "title": "x"}` + "\n\n" + `{"id": "b", "titel": "x"}` + "\n" + `nonsense` + "\n" + `{"id": "c d", "title": "x"}`)
	p := wantProblem(t, response, body, 400, "document-invalid")
	lines, _ := p["lines"].([]any)
	if len(lines) != 3 || fmt.Sprint(lines[0].(map[string]any)["line"], lines[1].(map[string]any)["line"], lines[2].(map[string]any)["line"]) != "3 4 5" {
		t.Errorf("%v", p)
	}
	for _, wrong := range []string{"", "\n", `{"id": "a", "title": "x"} {}`, strings.Repeat(`{"id": "a", "title": "x"}`+"\n", 1001)} {
		response, body = post(wrong)
		wantProblem(t, response, body, 400, "document-invalid")
	}
	response, body = post(strings.Repeat("x", 2<<20))
	wantProblem(t, response, body, 413, "body-too-large")
	for path, wrong := range map[string]string{"a": `{"id": "b", "title": "x"}`, "a%20b": `{"title": "x"}`, "c": `[]`} {
		response, body = processtest.Do(t, http.DefaultClient, http.MethodPut, "http://"+r.Data+"/v1/documents/"+path, wrong)
		wantProblem(t, response, body, 400, "document-invalid")
	}
	response, body = processtest.Do(t, http.DefaultClient, http.MethodPut, "http://"+r.Data+"/v1/marks/"+strings.Repeat("x", 65), "")
	wantProblem(t, response, body, 400, "mark-invalid")
}

func TestWithoutALogWritesAreRefused(t *testing.T) {
	c := newCorpus(t, 2, 1)
	for name, env := range map[string]map[string]string{"none": nil, "away": {"SEARCH_KAFKA": nettest.Refuse(t)}} {
		t.Run(name, func(t *testing.T) {
			r := startRoot(t, c, env)
			for _, write := range [][3]string{{http.MethodPut, "/v1/documents/a", `{"title": "x"}`}, {http.MethodDelete, "/v1/documents/a", ""},
				{http.MethodPost, "/v1/documents", `{"id": "a", "title": "x"}`}, {http.MethodPut, "/v1/marks/m", ""}} {
				response, body := processtest.Do(t, http.DefaultClient, write[0], "http://"+r.Data+write[1], write[2])
				wantProblem(t, response, body, 503, "log-unavailable")
			}
		})
	}
}

func TestANewLayoutIsTakenAndAWrongOneIsNot(t *testing.T) {
	one, two := newCorpus(t, 1, 1), newCorpus(t, 2, 1)
	one.add(t, few()[:1]...)
	two.add(t, few()...)
	r := startRoot(t, one, nil)
	if a := r.search("q", "dog"); a.Total != 1 {
		t.Fatalf("%+v", a)
	}
	write(t, r.layout, "shards: [nonsense]")
	await.Seen(t, "the status to tell of a wrong layout", func() (any, bool) {
		_, body := r.get("/v1/status")
		return body, strings.Contains(body, `"layout_refused":"layout: shards[0]`)
	})
	if a := r.search("q", "dog"); a.Total != 1 {
		t.Errorf("%+v", a)
	}
	write(t, r.layout, two.layout())
	await.Seen(t, "the new layout to be at work", func() (any, bool) {
		a := r.search("q", "dog")
		return a, a.Total == 4 && a.Harvest.Shards == 2
	})
}

// A search that is under way when the layout changes ends with the shards that it began with.
func TestASearchUnderWayKeepsItsLayout(t *testing.T) {
	one, two := newCorpus(t, 1, 1), newCorpus(t, 2, 1)
	one.add(t, few()[:1]...)
	two.add(t, few()...)
	r := startRoot(t, one, nil)
	leaf := one.shards[0][0]
	gate, inside := make(chan struct{}), make(chan struct{})
	var once sync.Once
	leaf.misbehave(func(_ http.ResponseWriter, q *http.Request) bool {
		if q.URL.Path == "/v1/search" {
			once.Do(func() { close(inside); <-gate }) // later ones wait, too
		}
		return false
	})
	found := make(chan string, 1)
	go func() {
		_, body := r.get("/v1/search", "q", "dog")
		found <- body
	}()
	<-inside
	write(t, r.layout, two.layout())
	await.Seen(t, "the new layout to be at work", func() (any, bool) {
		_, body := r.get("/v1/status")
		return body, strings.Contains(body, `"shard":1`)
	})
	close(gate)
	if body := <-found; !strings.Contains(body, `"total":1,"harvest":{"documents":1,"shards":1,"answered":1`) {
		t.Errorf("%s", body)
	}
}

func TestMoreSearchesThanMayWaitAreRefused(t *testing.T) {
	b := bulkhead.New(1, places)
	if err := enter(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error, places)
	for range places {
		go func() { waited <- enter(ctx, b) }()
	}
	await.That(t, "all places to be taken", func() bool { return b.Waiting() == places })
	if err := enter(t.Context(), b); err == nil || !strings.Contains(err.Error(), "more to do") {
		t.Errorf("one more: %v", err)
	}
	cancel()
	for range places {
		if err := <-waited; err == nil || !strings.Contains(err.Error(), "more to do") {
			t.Errorf("whose time is over: %v", err)
		}
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	cfg := processtest.Parse[Config](t, Program, map[string]string{"SEARCH_LAYOUT_FILE": "x"})
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	cfg.Timeout, cfg.Concurrency, cfg.HedgeQuantile, cfg.HedgeBudget, cfg.HedgeWindow, cfg.AnswerLimit, cfg.Kafka, cfg.EjectShare = 0, 0, 1, 2, time.Millisecond, 1, []string{"nonsense"}, 7
	err := cfg.validate()
	for _, name := range []string{"SEARCH_TIMEOUT", "SEARCH_CONCURRENCY", "SEARCH_HEDGE_QUANTILE", "SEARCH_HEDGE_BUDGET", "SEARCH_HEDGE_WINDOW", "SEARCH_LEAF_ANSWER_LIMIT", "SEARCH_KAFKA", "EJECT_SHARE"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	terms := Distribution("")
	if err := terms.UnmarshalText([]byte("words")); err == nil {
		t.Error("a distribution that is none")
	}
}
