package relevance_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/flotilla-dev/flotilla/loadtest/relevance"
)

// A search is one that finds all its documents for every query, busy at first, in pages.
type search struct {
	mu        sync.Mutex
	busy      int  // answers of 503 before any other
	forgets   bool // what comes after a page
	lost      int  // writes whose answer is an error though they were done
	documents []string
	batches   []int // bytes of each
	asked     []url.Values
}

func (s *search) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		s.busy--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.Method == http.MethodPost {
		s.write(w, r)
		return
	}
	s.asked = append(s.asked, r.URL.Query())
	s.find(w, r.URL.Query())
}

func (s *search) write(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	s.batches = append(s.batches, len(body))
	lines := bufio.NewScanner(strings.NewReader(string(body)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var d relevance.Document
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			panic(err)
		}
		s.documents = append(s.documents, d.ID)
	}
	if s.lost > 0 {
		s.lost--
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	fmt.Fprintf(w, `{"epochs": {"0": %d, "1": 7}}`, len(s.documents))
}

func (s *search) find(w http.ResponseWriter, q url.Values) {
	if strings.Contains(q.Get("q"), "refused") || s.forgets && q.Has("after") {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"title": "Bad query", "detail": "only words that are too common"}`)
		return
	}
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil {
		panic(err)
	}
	first, _ := strconv.Atoi(q.Get("after"))
	last := min(first+limit, len(s.documents))
	answer := map[string]any{"total": len(s.documents)}
	found := []map[string]any{}
	for i := first; i < last; i++ {
		found = append(found, map[string]any{"id": s.documents[i], "score": float64(1000 - i)})
	}
	answer["hits"] = found
	if last < len(s.documents) {
		answer["next"] = strconv.Itoa(last)
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

func (s *search) client(t *testing.T) *relevance.Client {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := relevance.NewClient(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAllPagesOfAnAnswerAreAskedFor(t *testing.T) {
	s := &search{busy: 3}
	for i := range 250 {
		s.documents = append(s.documents, fmt.Sprint("d", i))
	}
	c := s.client(t)
	run, err := c.Ask(t.Context(), []relevance.Query{{"1", "hot: dog!"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(run["1"]) != 250 || run["1"][249] != (relevance.Hit{Document: "d249", Score: 751}) {
		t.Errorf("%d hits, %v", len(run["1"]), run["1"])
	}
	want := url.Values{"q": {"hot dog"}, "operator": {"or"}, "require": {"all"}, "limit": {"100"}, "after": {"200"}}
	if len(s.asked) != 3 || !reflect.DeepEqual(s.asked[2], want) {
		t.Errorf("asked %v", s.asked)
	}
	c.Depth = 120
	if run, err = c.Ask(t.Context(), []relevance.Query{{"1", "dog"}}); err != nil || len(run["1"]) != 120 {
		t.Errorf("%d hits, %v, want 120", len(run["1"]), err)
	}
}

func TestAQueryThatIsRefusedIsUnansweredAndTold(t *testing.T) {
	c := (&search{documents: []string{"a"}}).client(t)
	var told []string
	c.Warn = func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	run, err := c.Ask(t.Context(), []relevance.Query{{"1", "refused"}, {"2", "?"}, {"3", "dog"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(run["1"]) != 0 || len(run["2"]) != 0 || len(run["3"]) != 1 {
		t.Error(run)
	}
	all := strings.Join(told, "\n")
	if len(told) != 2 || !strings.Contains(all, "query 1 (refused): status 400: Bad query: only words that are too common") || !strings.Contains(all, "query 2 has no words") {
		t.Error(all)
	}
}

func TestHalfAnAnswerIsNone(t *testing.T) {
	s := &search{forgets: true}
	for i := range 150 {
		s.documents = append(s.documents, fmt.Sprint("d", i))
	}
	if run, err := s.client(t).Ask(t.Context(), []relevance.Query{{"1", "dog"}}); err == nil || !strings.Contains(err.Error(), "query 1: status 400") {
		t.Errorf("%d hits, %v", len(run["1"]), err)
	}
}

func TestASearchThatIsNoneIsAnError(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"not found": http.NotFound,
		"no JSON":   func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			c, err := relevance.NewClient(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Ask(t.Context(), []relevance.Query{{"7", "dog"}}); err == nil || !strings.Contains(err.Error(), "query 7: ") {
				t.Error(err)
			}
		})
	}
	for _, bad := range []string{"", "localhost:8107", "ftp://x"} {
		if _, err := relevance.NewClient(bad); err == nil || !strings.Contains(err.Error(), "want http://host:port") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestDocumentsAreWrittenInBoundedBatchesAndSeen(t *testing.T) {
	s := &search{}
	c := s.client(t)
	var lines strings.Builder
	for i := range 1500 {
		text := ""
		if i >= 1400 { // a hundred large ones: more than a request may have
			text = strings.Repeat("x", 19_000)
		}
		fmt.Fprintf(&lines, "{\"_id\": \"d%d\", \"text\": %q}\n", i, text)
	}
	written, searched, err := c.Feed(t.Context(), file(t, "corpus.jsonl", lines.String()))
	if err != nil || written != 1500 || searched != 1500 || len(s.documents) != 1500 {
		t.Fatalf("%d written, %d searched, %d there: %v", written, searched, len(s.documents), err)
	}
	for _, n := range s.batches {
		if n > 1_000_000 {
			t.Errorf("a request of %d bytes", n)
		}
	}
	if len(s.batches) != 3 { // 1000 documents; 400 small ones and as many large ones as a megabyte holds; the rest
		t.Errorf("requests of %v bytes", s.batches)
	}
	if got := s.asked[len(s.asked)-1].Get("min_epochs"); got != "0:1500,1:7" {
		t.Errorf("waited for %q", got)
	}
}

func TestAWriteWhoseAnswerIsLostIsRepeated(t *testing.T) {
	s := &search{lost: 1}
	if written, _, err := s.client(t).Feed(t.Context(), file(t, "corpus.jsonl", `{"_id": "a"}`)); err != nil || written != 1 || len(s.batches) != 2 {
		t.Errorf("%d written in %d requests: %v", written, len(s.batches), err)
	}
}

func TestFeedStopsAtABadDocument(t *testing.T) {
	s := &search{}
	if _, _, err := s.client(t).Feed(t.Context(), file(t, "corpus.jsonl", "{\"_id\": \"a\"}\n{\"_id\": \"\"}\n")); err == nil || !strings.Contains(err.Error(), "corpus.jsonl:2: document has no id") {
		t.Error(err)
	}
	if len(s.batches) != 0 {
		t.Error("part of a batch was written")
	}
}
