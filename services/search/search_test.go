package search

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/search/document"
)

func TestASearchFindsWhatIsInAnyShard(t *testing.T) {
	c := newCorpus(t, 3, 1)
	c.add(t, few()...)
	r := startRoot(t, c, nil)
	a := r.search("q", "dog", "facets", "pos")
	if a.Total != 4 || len(a.Hits) != 4 || a.Query != "dog" || a.Harvest.Documents != 1 || a.Harvest.Answered != 3 || a.Facets["pos"]["noun"] != 3 || a.Facets["pos"]["verb"] != 1 {
		t.Errorf("%+v", a)
	}
	for i := 1; i < len(a.Hits); i++ {
		if a.Hits[i].Score > a.Hits[i-1].Score {
			t.Errorf("hit %d has a higher score than the one before", i)
		}
	}
	if len(a.Epochs) != 3 || a.Epochs["0"] != c.next[0] {
		t.Errorf("epochs %v", a.Epochs)
	}
	if both := r.search("q", "dog cat", "operator", "and"); ids(both) != "d4" {
		t.Errorf("dog and cat: %s", ids(both))
	}
	if phrase := r.search("q", `"hot dog"`); ids(phrase) != "d3" {
		t.Errorf("a phrase: %s", ids(phrase))
	}
	if all := r.search("q", "*"); ids(all) != "d1 d2 d3 d4 d5 d6" {
		t.Errorf("everything: %s", ids(all))
	}
}

func TestABadRequestIsToldWhatWouldBeRight(t *testing.T) {
	c := newCorpus(t, 2, 1)
	c.add(t, few()...)
	r := startRoot(t, c, nil)
	if p := r.refused(400, "query-invalid", "q", "dog AND"); p["column"] == nil || p["column"].(float64) < 5 {
		t.Errorf("%v", p)
	}
	r.refused(400, "query-invalid", "q", "")
	for _, wrong := range [][2]string{{"limit", "0"}, {"limit", "101"}, {"limit", "x"}, {"operator", "xor"}, {"require", "some"}, {"explain", "yes"},
		{"facets", "POS"}, {"facets", "a,a"}, {"facets", "a,b,c,d,e,f,g,h,i"}, {"min_epochs", "0"}, {"min_epochs", "2:1"}, {"min_epochs", "0:-1"}, {"limt", "5"}} {
		if p := r.refused(400, "parameter-invalid", "q", "dog", wrong[0], wrong[1]); p["parameter"] != wrong[0] {
			t.Errorf("%v: %v", wrong, p)
		}
	}
	r.refused(400, "parameter-invalid", "q", "dog", "explain", "1", "limit", "21")
	r.refused(400, "cursor-invalid", "q", "dog", "after", "nonsense")
	next := r.search("q", "dog", "limit", "1").Next
	if p := r.refused(400, "cursor-invalid", "q", "cat", "after", next); !strings.Contains(p["detail"].(string), "another query") {
		t.Errorf("%v", p)
	}
}

func TestWhatMatchesTooManyWordsIsNamedWhereItIs(t *testing.T) {
	words := func(begin string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%s%d%s ", begin, i, strings.Repeat("x", 80))
		}
		return b.String()
	}
	c := newCorpus(t, 2, 1)
	for _, begin := range []string{"aa", "bb", "cc"} {
		for i := range 10 {
			c.add(t, doc(fmt.Sprint(begin, i), "", words(fmt.Sprint(begin, i), 350)))
		}
	}
	c.add(t, doc("all", "", words("aax", 700)))
	r := startRoot(t, c, nil)
	p := r.refused(http.StatusBadRequest, "query-invalid", "q", "dog -aa* title:bb*")
	if p["column"] != 6.0 || !strings.Contains(fmt.Sprint(p["detail"]), "aa* matches more than 4,096 different words") {
		t.Errorf("too many for one: %v", p)
	}
	p = r.refused(http.StatusBadRequest, "query-invalid", "q", "dog aa1* aa2* -bb* text:(cat cc*)")
	if p["column"] != 30.0 || !strings.Contains(fmt.Sprint(p["detail"]), "cc* the most of them") {
		t.Errorf("too many together: %v", p)
	}
	if a := r.search("q", "bb*"); a.Total != 10 {
		t.Errorf("as many as may be: %d documents", a.Total)
	}
}

func TestPagesJoinedAreTheWhole(t *testing.T) {
	c := newCorpus(t, 3, 2)
	for i := range 50 {
		c.add(t, doc(fmt.Sprintf("p%02d", i), "dog", strings.Repeat("word ", i%5)))
	}
	r := startRoot(t, c, nil)
	whole := r.search("q", "dog", "limit", "100")
	var joined []string
	parameters := []string{"q", "dog", "limit", "7"}
	for page := 0; ; page++ {
		a := r.search(parameters...)
		if a.Total != 50 {
			t.Errorf("page %d: total %d", page, a.Total)
		}
		joined = append(joined, ids(a))
		if a.Next == "" {
			break
		}
		parameters = []string{"q", "dog", "limit", "7", "after", a.Next}
		// What is written meanwhile is not on these pages.
		c.add(t, doc(fmt.Sprintf("new%d", page), "dog dog dog", ""), doc(fmt.Sprintf("p%02d", 40+page), "", ""))
	}
	if got := strings.Join(joined, " "); got != ids(whole) {
		t.Errorf("%s\nwant %s", got, ids(whole))
	}
}

func TestAMissingShardLeavesAPartOrIsRefused(t *testing.T) {
	c := newCorpus(t, 3, 1)
	for i := range 90 {
		c.add(t, doc(fmt.Sprintf("p%02d", i), "dog", ""))
	}
	r := startRoot(t, c, map[string]string{"SEARCH_TIMEOUT": "2s"})
	if a := r.search("q", "dog"); a.Total != 90 {
		t.Fatalf("%+v", a)
	}
	lost := c.next[1]
	want := float64(90-lost) / 90
	check := func(what, reason string) {
		t.Helper()
		a := r.search("q", "dog")
		h := a.Harvest
		if a.Total != 90-lost || h.Documents < want-1e-9 || h.Documents > want+1e-9 || h.Answered != 2 || len(h.Missing) != 1 || h.Missing[0] != (Missing{1, reason}) {
			t.Errorf("%s: %+v", what, a)
		}
		p := r.refused(503, "incomplete", "q", "dog", "require", "all")
		if !strings.Contains(p["detail"].(string), "1 ("+reason+")") {
			t.Errorf("%s: %v", what, p)
		}
	}
	leaf := c.shards[1][0]
	leaf.refuse("/v1/statistics", 500, "internal")
	check("phase 1 fails", "failed")
	leaf.refuse("/v1/search", 500, "internal")
	check("phase 2 fails", "failed")
	leaf.refuse("", 503, "overloaded")
	check("overloaded", "overloaded")
	leaf.hang("/v1/statistics")
	check("phase 1 hangs", "timed-out")
	leaf.hang("/v1/search")
	check("phase 2 hangs", "timed-out")
	leaf.misbehave(func(w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, "{"); return true })
	check("nonsense", "failed")
	leaf.misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/search" {
			return false
		}
		fmt.Fprintf(w, `{"epoch": %d, "total": 2, "hits": [{"id":"b","bits":1},{"id":"a","bits":9}]}`, c.next[1])
		return true
	})
	check("hits out of order", "failed")
	leaf.CloseClientConnections()
	leaf.misbehave(nil)
	await.That(t, "all are back", func() bool { // a connection that was closed may be noticed by a search
		a := r.search("q", "dog")
		return a.Total == 90 && a.Harvest.Documents == 1
	})
}

func TestWithoutAnyShardThereIsNoAnswer(t *testing.T) {
	c := newCorpus(t, 2, 1)
	r := startRoot(t, c, nil)
	for _, shard := range c.shards {
		shard[0].refuse("", 500, "internal")
	}
	response, body := r.get("/v1/search", "q", "dog")
	wantProblem(t, response, body, 503, "incomplete")
	if response.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// A page is of the shards of the first one: a shard that was missing then is not asked, and one that is missing now cannot be replaced.
func TestLaterPagesAreOfTheSameShards(t *testing.T) {
	c := newCorpus(t, 2, 1)
	for i := range 40 {
		c.add(t, doc(fmt.Sprintf("p%02d", i), "dog", ""))
	}
	r := startRoot(t, c, nil)
	r.search("q", "dog")
	c.shards[1][0].refuse("", 500, "internal")
	first := r.search("q", "dog", "limit", "5")
	c.shards[1][0].misbehave(nil)
	second := r.search("q", "dog", "limit", "5", "after", first.Next)
	if second.Total != first.Total || len(second.Harvest.Missing) != 1 || second.Harvest.Missing[0] != (Missing{1, "left-out"}) {
		t.Errorf("%+v", second)
	}
	r.refused(503, "incomplete", "q", "dog", "limit", "5", "after", first.Next, "require", "all")
	c.shards[0][0].refuse("", 500, "internal")
	r.refused(503, "incomplete", "q", "dog", "limit", "5", "after", first.Next)

	c.shards[0][0].misbehave(nil)
	whole := r.search("q", "dog", "limit", "5")
	c.shards[1][0].refuse("/v1/statistics", 500, "internal")
	r.refused(503, "incomplete", "q", "dog", "limit", "5", "after", whole.Next)
	c.shards[1][0].refuse("/v1/search", 500, "internal") // its statistics are there, only its hits are not
	if a := r.search("q", "dog", "limit", "5", "after", whole.Next); a.Harvest.Answered != 1 {
		t.Errorf("%+v", a)
	}
	c.shards[1][0].refuse("", 410, "epoch-gone")
	r.refused(410, "cursor-expired", "q", "dog", "limit", "5", "after", whole.Next)
}

func TestASlowReplicaIsHedgedAndItsCallIsCancelled(t *testing.T) {
	c := newCorpus(t, 2, 2)
	c.add(t, few()...)
	r := startRoot(t, c, map[string]string{"SEARCH_HEDGE_FIRST": "20ms", "SEARCH_HEDGE_BUDGET": "1"})
	slow := c.shards[0][0]
	slow.hang("")
	hedged := 0
	for n := 0; slow.asked.Load() == 0 && n < 1000; n++ {
		a := r.search("q", "dog")
		if a.Harvest.Answered != 2 || a.Total != 4 {
			t.Fatalf("%+v", a)
		}
		hedged += a.Hedged
	}
	if hedged == 0 {
		t.Error("no answer tells of a hedge")
	}
	await.Seen(t, "the slow leaf to see its callers go", func() (any, bool) {
		asked, dropped := slow.asked.Load(), slow.dropped.Load()
		return [2]int64{asked, dropped}, asked > 0 && asked == dropped
	})
	_, status := r.get("/v1/status")
	if !strings.Contains(status, `"hedges":{"quantile":0.98,"budget":1,"allowed":`) {
		t.Errorf("%s", status)
	}
}

func TestAReplicaThatIsGoneCostsNoAnswer(t *testing.T) {
	c := newCorpus(t, 2, 2)
	c.add(t, few()...)
	r := startRoot(t, c, map[string]string{"EJECT_AFTER": "3"})
	for n := range 60 {
		if n == 20 {
			c.shards[1][0].CloseClientConnections()
			c.shards[1][0].Listener.Close()
		}
		if a := r.search("q", "dog"); a.Harvest.Answered != 2 || a.Total != 4 {
			t.Fatalf("search %d: %+v", n, a)
		}
	}
}

// ejections are those of all replicas since the root began.
func (r *testRoot) ejections() (n uint64) {
	r.t.Helper()
	_, body := r.get("/v1/status")
	var status Status
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		r.t.Fatal(err)
	}
	for _, shard := range status.Shards {
		for _, replica := range shard.Replicas {
			n += replica.Ejections
		}
	}
	return n
}

func TestAReplicaThatOnlyLagsIsNotEjected(t *testing.T) {
	for name, ejected := range map[string]bool{"epoch-not-reached": false, "not-caught-up": false, "overloaded": false, "internal": true} {
		t.Run(name, func(t *testing.T) {
			c := newCorpus(t, 1, 2)
			c.add(t, few()...)
			r := startRoot(t, c, map[string]string{"EJECT_AFTER": "1", "EJECT_BASE": "1h", "EJECT_MAX": "1h", "RETRY_SHARE": "1"})
			behind := c.shards[0][0]
			behind.refuse("/v1/", http.StatusServiceUnavailable, name)
			for n := 0; behind.asked.Load() < 3 && r.ejections() == 0; n++ {
				if a := r.search("q", "dog"); a.Harvest.Answered != 1 || a.Total != 4 {
					t.Fatalf("search %d: the other replica was not asked: %+v", n, a)
				}
				if n == 10_000 {
					t.Fatal("it was not asked")
				}
			}
			if n := r.ejections(); (n > 0) != ejected {
				t.Errorf("%d ejections", n)
			}
		})
	}
}

// A client may ask for an epoch that never comes: the replicas wait, as they should.
func TestAnEpochThatNobodyReachesEjectsNobody(t *testing.T) {
	c := newCorpus(t, 1, 2)
	c.add(t, few()...)
	r := startRoot(t, c, map[string]string{"EJECT_AFTER": "1", "EJECT_BASE": "1h", "EJECT_MAX": "1h", "SEARCH_TIMEOUT": "1s", "SEARCH_HEDGE_FIRST": "20ms", "SEARCH_HEDGE_BUDGET": "1"})
	for _, l := range c.shards[0] {
		l.hang("/v1/statistics")
	}
	r.refused(http.StatusServiceUnavailable, "incomplete", "q", "dog", "min_epochs", "0:1000000")
	if n := r.ejections(); n != 0 {
		t.Errorf("%d ejections of replicas that waited", n)
	}
	r.refused(http.StatusServiceUnavailable, "incomplete", "q", "dog")
	await.Seen(t, "a replica that hangs without a reason is ejected", func() (any, bool) { n := r.ejections(); return n, n > 0 })
}

func TestReadYourWritesWaits(t *testing.T) {
	c := newCorpus(t, 2, 2)
	c.add(t, few()...)
	r := startRoot(t, c, nil)
	d := doc("new", "zebra", "")
	shard := c.placed.Of(d.ID)
	found := make(chan *Answer, 1)
	go func() {
		_, body := r.get("/v1/search", "q", "zebra", "min_epochs", fmt.Sprintf("%d:%d", shard, c.next[shard]+1))
		a := &Answer{}
		if strings.Contains(body, `"new"`) {
			a.Total = 1
		}
		found <- a
	}()
	before := c.shards[shard][0].asked.Load() + c.shards[shard][1].asked.Load()
	await.That(t, "a leaf to be asked", func() bool { return c.shards[shard][0].asked.Load()+c.shards[shard][1].asked.Load() >= max(before, 1) })
	c.add(t, d)
	if a := <-found; a.Total != 1 {
		t.Error("what was written is not found")
	}
}

func TestAMisspeltWordIsSuggestedAndOnlyThat(t *testing.T) {
	c := newCorpus(t, 3, 1)
	c.add(t, few()...)
	r := startRoot(t, c, nil)
	if a := r.search("q", "sausge dog"); a.Suggestion != "sausage dog" {
		t.Errorf("%q", a.Suggestion)
	}
	if a := r.search("q", "dog"); a.Suggestion != "" {
		t.Errorf("%q", a.Suggestion)
	}
	if a := r.search("q", "qqqqqqqqqqqqqqqqqqq"); a.Suggestion != "" || a.Total != 0 {
		t.Errorf("%+v", a)
	}
}

func TestScoresAreExplained(t *testing.T) {
	c := newCorpus(t, 3, 1)
	c.add(t, few()...)
	r := startRoot(t, c, nil)
	a := r.search("q", "dog", "explain", "1")
	for _, h := range a.Hits {
		if h.Explanation == nil || h.Explanation.Score != h.Score {
			t.Errorf("%+v", h)
		}
	}
	response, body := r.get("/v1/explain/"+a.Hits[0].ID, "q", "dog")
	if response.StatusCode != 200 || !strings.Contains(body, fmt.Sprintf(`"score":%v`, a.Hits[0].Score)) {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	response, body = r.get("/v1/explain/d1", "q", "dog AND")
	wantProblem(t, response, body, 400, "query-invalid")
}

func TestADocumentIsFetchedFromItsShard(t *testing.T) {
	c := newCorpus(t, 3, 2)
	c.add(t, append(few(), doc("a/b%20c?", "odd", ""))...)
	r := startRoot(t, c, nil)
	for path, want := range map[string]string{"d1": `"id":"d1"`, "a%2Fb%2520c%3F": `"id":"a/b%20c?"`} {
		if response, body := processtest.Get(t, "http://"+r.Data+"/v1/documents/"+path); response.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
	response, body := r.get("/v1/documents/none")
	wantProblem(t, response, body, 404, "document-not-found")
	response, body = processtest.Get(t, "http://"+r.Data+"/v1/documents/a%20b")
	wantProblem(t, response, body, 400, "document-invalid")
}

// Whoever has just written names the epoch of the write, and is answered by no replica that has not got there, even if another one has
// the document already in an older version, or not at all.
func TestADocumentIsAsNewAsItsReaderWants(t *testing.T) {
	c := newCorpus(t, 2, 2)
	c.add(t, few()...)
	r := startRoot(t, c, map[string]string{"SEARCH_HEDGE_BUDGET": "0"})
	for _, write := range []struct {
		document document.Document
		status   int
		want     string
	}{
		{doc("new", "zebra", ""), 200, "zebra"}, {doc("new", "quagga", ""), 200, "quagga"}, {doc("new", "", ""), 404, "document-not-found"},
	} {
		shard := c.placed.Of("new")
		asked := func() int64 { return c.shards[shard][0].asked.Load() + c.shards[shard][1].asked.Load() }
		before := asked()
		type answer struct {
			status int
			body   string
		}
		got := make(chan answer, 1)
		go func() {
			response, body := r.get("/v1/documents/new", "min_epochs", fmt.Sprintf("%d:%d", shard, c.next[shard]+1))
			got <- answer{response.StatusCode, body}
		}()
		await.That(t, "a leaf to be asked", func() bool { return asked() > before })
		c.add(t, write.document)
		if a := <-got; a.status != write.status || !strings.Contains(a.body, write.want) {
			t.Errorf("%+v: %d %s", write.document, a.status, a.body)
		}
	}
}

// Epochs of other shards are of no interest to a document; one that no replica reaches is no fault of theirs.
func TestADocumentAtAnEpochThatNobodyReachesIsIncomplete(t *testing.T) {
	c := newCorpus(t, 2, 2)
	c.add(t, few()...)
	r := startRoot(t, c, map[string]string{"EJECT_AFTER": "1", "EJECT_BASE": "1h", "EJECT_MAX": "1h", "SEARCH_TIMEOUT": "1s"})
	shard := c.placed.Of("d1")
	response, body := r.get("/v1/documents/d1", "min_epochs", fmt.Sprintf("%d:1000000", shard))
	wantProblem(t, response, body, 503, "incomplete")
	if n := r.ejections(); n != 0 {
		t.Errorf("%d ejections of replicas that waited", n)
	}
	if response, body := r.get("/v1/documents/d1", "min_epochs", fmt.Sprintf("%d:1000000", 1-shard)); response.StatusCode != 200 {
		t.Errorf("an epoch of the other shard: %d %s", response.StatusCode, body)
	}
	for name, value := range map[string]string{"min_epochs": "2:1", "min_epoch": "0:1"} {
		response, body := r.get("/v1/documents/d1", name, value)
		if p := wantProblem(t, response, body, 400, "parameter-invalid"); p["parameter"] != name {
			t.Errorf("%s=%s: %v", name, value, p)
		}
	}
}

// A replica that does not know what it is asked for, in the middle of a rolling upgrade, answers at once: that is no answer.
func TestADocumentOfAnOlderEpochIsNoAnswer(t *testing.T) {
	c := newCorpus(t, 1, 1)
	c.add(t, few()...)
	r := startRoot(t, c, map[string]string{"SEARCH_TIMEOUT": "5s"})
	c.shards[0][0].misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/v1/documents/") {
			return false
		}
		_, _ = w.Write([]byte(`{"id": "d1", "title": "dog", "epoch": 3}`))
		return true
	})
	response, body := r.get("/v1/documents/d1", "min_epochs", "0:4")
	wantProblem(t, response, body, 503, "incomplete")
	if response, body := r.get("/v1/documents/d1", "min_epochs", "0:3"); response.StatusCode != 200 {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

func TestAMarkIsThereWhenEveryShardHasReadIt(t *testing.T) {
	c := newCorpus(t, 2, 1)
	r := startRoot(t, c, nil)
	c.shards[0][0].marks = []string{"corpus"}
	response, body := r.get("/v1/marks/corpus")
	if p := wantProblem(t, response, body, 404, "mark-not-found"); fmt.Sprint(p["shards"]) != "[1]" {
		t.Errorf("%v", p)
	}
	c.shards[1][0].mu.Lock()
	c.shards[1][0].marks = []string{"other", "corpus"}
	c.shards[1][0].mu.Unlock()
	if response, body := r.get("/v1/marks/corpus"); response.StatusCode != 200 {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	c.shards[1][0].refuse("", 500, "internal")
	response, body = r.get("/v1/marks/corpus")
	wantProblem(t, response, body, 503, "incomplete")
}
