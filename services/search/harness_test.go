package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/index"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A testLeaf is a real HTTP server that speaks to the root as a leaf does, over a real index, and misbehaves when it is told to.
type testLeaf struct {
	*httptest.Server
	index *index.Index

	mu      sync.Mutex // guards below
	spoil   func(w http.ResponseWriter, r *http.Request) bool
	bodies  []string // of requests, by path and body
	marks   []string
	asked   atomic.Int64
	dropped atomic.Int64 // requests whose caller went away
}

func newLeaf(t testing.TB) *testLeaf {
	l := &testLeaf{index: index.New(index.Options{Versions: time.Hour})}
	mux := http.NewServeMux()
	answer(mux, "POST /v1/statistics", func(ctx context.Context, r wire.StatisticsRequest) (any, error) {
		if r.Epoch == wire.Latest && r.Least > 0 {
			if err := l.index.Wait(ctx, r.Least); err != nil {
				return nil, err
			}
		}
		v, err := l.index.At(r.Epoch)
		if err != nil {
			return nil, err
		}
		return v.Statistics(ctx, r.Query)
	})
	answer(mux, "POST /v1/search", func(ctx context.Context, r wire.SearchRequest) (any, error) {
		v, err := l.index.At(r.Epoch)
		if err != nil {
			return nil, err
		}
		return v.Search(ctx, r)
	})
	answer(mux, "POST /v1/documents", func(_ context.Context, r wire.DocumentsRequest) (any, error) {
		v, err := l.index.At(r.Epoch)
		if err != nil {
			return nil, err
		}
		hits, err := v.Documents(r.Offsets, r.Query)
		return wire.DocumentsAnswer{Epoch: v.Epoch(), Hits: hits}, err
	})
	answer(mux, "POST /v1/explain", func(_ context.Context, r wire.ExplainRequest) (any, error) {
		v, err := l.index.At(r.Epoch)
		if err != nil {
			return nil, err
		}
		return v.Explain(r.Plan, r.ID)
	})
	answer(mux, "POST /v1/suggest", func(ctx context.Context, r wire.SuggestRequest) (any, error) {
		v, err := l.index.At(r.Epoch)
		if err != nil {
			return nil, err
		}
		return v.Suggest(ctx, r.Word)
	})
	mux.HandleFunc("POST /v1/terms", l.terms)
	mux.HandleFunc("GET /v1/documents/{id}", l.document)
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		_ = json.NewEncoder(w).Encode(wire.Status{Marks: l.marks})
	})
	l.Server = httptest.NewServer(httpclient.Deadline(30*time.Second, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		l.mu.Lock()
		spoil := l.spoil
		l.mu.Unlock()
		if spoil != nil && spoil(w, r) {
			return
		}
		mux.ServeHTTP(w, r)
	})))
	t.Cleanup(l.Close)
	return l
}

// answer is a route that reads and writes JSON.
func answer[R any](mux *http.ServeMux, pattern string, do func(context.Context, R) (any, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		var request R
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			problem.New(http.StatusBadRequest, "bad-request", err.Error()).Write(w)
			return
		}
		a, err := do(r.Context(), request)
		if err != nil {
			explain(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a)
	})
}

func explain(w http.ResponseWriter, err error) {
	var wrong *index.RequestError
	status, name := http.StatusServiceUnavailable, "behind"
	switch {
	case errors.Is(err, index.ErrGone):
		status, name = http.StatusGone, "epoch-gone"
	case errors.As(err, &wrong):
		status, name = http.StatusBadRequest, "bad-request"
	}
	problem.New(status, name, err.Error()).Write(w)
}

func (l *testLeaf) terms(w http.ResponseWriter, r *http.Request) {
	var request wire.TermsRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		explain(w, err)
		return
	}
	v, err := l.index.At(request.Epoch)
	if err != nil {
		explain(w, err)
		return
	}
	postings, err := v.Word(r.Context(), &request.Node, request.Limit)
	if err != nil {
		explain(w, err)
		return
	}
	body, err := postings.AppendBinary(nil)
	if err != nil {
		explain(w, err)
		return
	}
	l.mu.Lock()
	l.bodies = append(l.bodies, request.Node.Words[0])
	l.mu.Unlock()
	w.Header().Set("Content-Type", wire.PostingsType)
	_, _ = w.Write(body)
}

func (l *testLeaf) document(w http.ResponseWriter, r *http.Request) {
	if least, _ := strconv.ParseInt(r.URL.Query().Get("least"), 10, 64); least > 0 {
		if err := l.index.Wait(r.Context(), least); err != nil {
			problem.New(http.StatusServiceUnavailable, "epoch-not-reached", err.Error()).Write(w)
			return
		}
	}
	v, err := l.index.At(wire.Latest)
	if err != nil {
		explain(w, err)
		return
	}
	d, _, err := v.Document(r.PathValue("id"))
	if err != nil || d == nil {
		problem.New(http.StatusNotFound, "document-not-found", "there is no such document").Write(w)
		return
	}
	_ = json.NewEncoder(w).Encode(at{*d, v.Epoch()})
}

func (l *testLeaf) addr() string { return strings.TrimPrefix(l.URL, "http://") }

// misbehave lets the leaf do something else, until the next call; the function tells whether it has answered.
func (l *testLeaf) misbehave(spoil func(http.ResponseWriter, *http.Request) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spoil = spoil
}

// hang gives no answer to requests of a path, "" for all, until their callers are gone.
func (l *testLeaf) hang(path string) {
	l.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, path) {
			return false
		}
		_, _ = httptest.NewRecorder().Body.ReadFrom(r.Body) // else the server does not look whether the caller is there
		<-r.Context().Done()
		l.dropped.Add(1)
		problem.New(http.StatusGatewayTimeout, "timed-out", "on purpose").Write(w) // when it was the deadline that came
		return true
	})
}

// refuse answers with a problem.
func (l *testLeaf) refuse(path string, status int, name string) {
	l.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, path) {
			return false
		}
		problem.New(status, name, "on purpose").Write(w)
		return true
	})
}

// A corpus of leaves: shards with replicas, and a document's shard by its id.
type corpus struct {
	shards [][]*testLeaf
	placed *doclog.Placement
	next   []int64
}

func newCorpus(t testing.TB, shards, replicas int) *corpus {
	placed, err := doclog.NewPlacement(doclog.Modulo, shards)
	if err != nil {
		t.Fatal(err)
	}
	c := &corpus{placed: placed, next: make([]int64, shards)}
	for range shards {
		var s []*testLeaf
		for range replicas {
			s = append(s, newLeaf(t))
		}
		c.shards = append(c.shards, s)
	}
	return c
}

// add puts documents into all replicas of their shards; one without title and text is deleted.
func (c *corpus) add(t testing.TB, documents ...document.Document) {
	t.Helper()
	changes := make([][]index.Change, len(c.shards))
	for _, d := range documents {
		i := c.placed.Of(d.ID)
		change := index.Change{Offset: c.next[i], ID: d.ID}
		if d.Title != "" || d.Text != "" {
			change.Document = &d
		}
		changes[i] = append(changes[i], change)
		c.next[i]++
	}
	for i, all := range changes {
		for _, l := range c.shards[i] {
			if err := l.index.Apply(all); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (c *corpus) layout() string {
	var b strings.Builder
	b.WriteString("topic: documents\nshards:\n")
	for _, shard := range c.shards {
		var addrs []string
		for _, l := range shard {
			addrs = append(addrs, l.addr())
		}
		fmt.Fprintf(&b, "- %s\n", strings.Join(addrs, ","))
	}
	return b.String()
}

// A testRoot is the program over a corpus.
type testRoot struct {
	*processtest.Running
	t      testing.TB
	layout string
}

func startRoot(t testing.TB, c *corpus, env map[string]string) *testRoot {
	t.Helper()
	file := filepath.Join(t.TempDir(), "layout.yaml")
	write(t, file, c.layout())
	all := map[string]string{"SEARCH_LAYOUT_FILE": file, "SEARCH_TIMEOUT": "30s", "EJECT_AFTER": "0",
		"SEARCH_LEAF_CONNECT_TIMEOUT": "5s"} // else a busy machine is taken for leaves that are away
	for name, value := range env {
		all[name] = value
	}
	cfg := processtest.Parse[Config](t, Program, all)
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	r := &testRoot{running, t, file}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	await.That(t, "the root to be ready", func() bool {
		response, _ := processtest.Get(t, "http://"+running.Admin+"/readyz")
		return response.StatusCode == http.StatusOK
	})
	return r
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := atomicfile.Write(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// get asks the root; parameters are names and values in turn.
func (r *testRoot) get(path string, parameters ...string) (*http.Response, string) {
	r.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		values.Set(parameters[i], parameters[i+1])
	}
	return processtest.Get(r.t, "http://"+r.Data+path+"?"+values.Encode())
}

// search is an answer that must be one.
func (r *testRoot) search(parameters ...string) *Answer {
	r.t.Helper()
	response, body := r.get("/v1/search", parameters...)
	var a Answer
	if err := json.Unmarshal([]byte(body), &a); err != nil || response.StatusCode != http.StatusOK {
		r.t.Fatalf("%v: status %d %v: %s", parameters, response.StatusCode, err, body)
	}
	return &a
}

// refused is an answer that must be a problem.
func (r *testRoot) refused(status int, name string, parameters ...string) map[string]any {
	r.t.Helper()
	response, body := r.get("/v1/search", parameters...)
	return wantProblem(r.t, response, body, status, name)
}

func wantProblem(t testing.TB, response *http.Response, body string, status int, name string) map[string]any {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal([]byte(body), &p); err != nil || response.StatusCode != status || p["type"] != problem.Base+name {
		t.Errorf("status %d %v: %s; want %d %s", response.StatusCode, err, body, status, name)
	}
	return p
}

func ids(a *Answer) string {
	var all []string
	for _, h := range a.Hits {
		all = append(all, h.ID)
	}
	return strings.Join(all, " ")
}

func doc(id, title, text string) document.Document {
	return document.Document{ID: id, Title: title, Text: text, Labels: map[string]string{"pos": "noun"}}
}

// few are documents in which words are in different numbers.
func few() []document.Document {
	return []document.Document{
		doc("d1", "dog", "a member of the genus Canis that has been domesticated by man"),
		doc("d2", "cat", "feline mammal with thick soft fur"),
		doc("d3", "hot dog", "a sausage served hot on a bun"),
		doc("d4", "dogs and cats", "dog chases cat, cat chases dog"),
		{ID: "d5", Title: "chase", Text: "go after with the intent to catch, as a dog does", Labels: map[string]string{"pos": "verb"}},
		doc("d6", "fish", "any of various mostly cold-blooded aquatic vertebrates"),
	}
}
