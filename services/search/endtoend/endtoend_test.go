package endtoend

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/search/document"
)

// animals are documents of which every one has the word animal, and every third cat.
func animals(n int) (all []document.Document) {
	for i := range n {
		d := document.Document{ID: fmt.Sprintf("a%04d", i), Title: "animal " + strings.Repeat("very ", i%7), Text: "it is an animal", Labels: map[string]string{"pos": "noun"}}
		if i%3 == 0 {
			d.Text += " and a cat"
		}
		all = append(all, d)
	}
	return all
}

func TestWhatIsWrittenIsFoundByWhoeverSaysSo(t *testing.T) {
	f := startFleet(t, 3, 1, nil)
	f.fill(animals(100))
	if a := f.mustSearch("q", "cat"); a.Total != 34 || a.Harvest.Documents != 1 {
		t.Fatalf("%+v", a)
	}
	for i := range 20 {
		id := fmt.Sprintf("new/%d", i)
		path := "/v1/documents/" + strings.ReplaceAll(id, "/", "%2F")
		epochs := f.write(http.MethodPut, path, `{"title": "zebra", "text": "striped"}`)
		if a := f.mustSearch("q", "zebra", "min_epochs", epochs); a.Total != 1 || a.Hits[0].ID != id {
			t.Fatalf("%d: written at %s, %+v", i, epochs, a)
		}
		if response, body := processtest.Get(t, f.url(path, "min_epochs", epochs)); response.StatusCode != http.StatusOK {
			t.Fatalf("%d: written at %s, status %d %s", i, epochs, response.StatusCode, body)
		}
		epochs = f.write(http.MethodDelete, path, "")
		if response, body := processtest.Get(t, f.url(path, "min_epochs", epochs)); response.StatusCode != http.StatusNotFound {
			t.Fatalf("%d: deleted at %s, status %d %s", i, epochs, response.StatusCode, body)
		}
		if a := f.mustSearch("q", "zebra", "min_epochs", epochs); a.Total != 0 {
			t.Fatalf("%d: deleted at %s, %+v", i, epochs, a)
		}
	}
}

func TestAKilledReplicaCostsNoAnswer(t *testing.T) {
	f := startFleet(t, 2, 2, nil)
	f.fill(animals(300))
	stop := f.load(4, "q", "animal cat")
	pause(500 * time.Millisecond)
	for _, shard := range f.shards {
		shard[0].kill()
		pause(500 * time.Millisecond)
		shard[0].start()
		shard[0].ready()
		pause(300 * time.Millisecond)
	}
	searches, failed := stop()
	if searches < 20 || len(failed) > 0 {
		t.Errorf("%d searches, %d failed: %v", searches, len(failed), failed[:min(len(failed), 3)])
	}
	t.Logf("%d searches while two replicas were killed and started again", searches)
}

// A process that is stopped keeps its connections and says nothing: only hedges, and then its silence, tell.
func TestAReplicaThatHangsIsOvertaken(t *testing.T) {
	f := startFleet(t, 1, 2, map[string]string{"SEARCH_HEDGE_FIRST": "50ms"})
	f.fill(animals(100))
	for range 60 {
		f.mustSearch("q", "animal")
	}
	hung := f.shards[0][0]
	hung.signal(syscall.SIGSTOP)
	defer hung.signal(syscall.SIGCONT)
	hedged := 0
	for n := 0; hedged == 0 && n < 200; n++ {
		a := f.mustSearch("q", "animal", "require", "all")
		hedged += a.Hedged
	}
	if hedged == 0 {
		t.Error("no search was hedged")
	}
	searches, failed := 0, 0
	for range 100 {
		searches++
		if _, err := f.search("q", "animal", "require", "all"); err != nil {
			failed++
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d failed", failed, searches)
	}
}

func TestAShardThatIsGoneIsMissingAndSaid(t *testing.T) {
	f := startFleet(t, 3, 1, nil)
	f.fill(animals(300))
	whole := f.mustSearch("q", "animal")
	f.shards[1][0].kill()
	a := f.mustSearch("q", "animal")
	if a.Harvest.Answered != 2 || len(a.Harvest.Missing) != 1 || a.Harvest.Missing[0].Shard != 1 || a.Total >= whole.Total {
		t.Errorf("%+v", a)
	}
	if want := float64(a.Total) / 300; a.Harvest.Documents < want-1e-9 || a.Harvest.Documents > want+1e-9 {
		t.Errorf("harvest %v, want %v", a.Harvest.Documents, want)
	}
	if _, err := f.search("q", "animal", "require", "all"); err == nil || !strings.Contains(err.Error(), "#incomplete") {
		t.Errorf("%v", err)
	}
	f.shards[1][0].start()
	await.Seen(t, "all documents to be searched again", func() (any, bool) {
		a, err := f.search("q", "animal")
		return err, err == nil && a.Harvest.Documents == 1 && a.Total == 300
	})
}

func TestPagesHoldWhileDocumentsAreWritten(t *testing.T) {
	f := startFleet(t, 2, 2, nil)
	f.fill(animals(120))
	seen := map[string]bool{}
	parameters := []string{"q", "animal", "limit", "13"}
	for page := 0; ; page++ {
		a := f.mustSearch(parameters...)
		for _, h := range a.Hits {
			if seen[h.ID] || !strings.HasPrefix(h.ID, "a") {
				t.Errorf("page %d: %s is there twice, or was written later", page, h.ID)
			}
			seen[h.ID] = true
		}
		if a.Next == "" {
			break
		}
		f.write(http.MethodPut, fmt.Sprintf("/v1/documents/later%d", page), `{"title": "animal animal animal"}`)
		f.write(http.MethodDelete, fmt.Sprintf("/v1/documents/a%04d", 100+page), "")
		parameters = []string{"q", "animal", "limit", "13", "after", a.Next}
	}
	if len(seen) != 120 {
		t.Errorf("%d documents on all pages, want 120", len(seen))
	}
}

func TestWithoutKafkaWritesAreRefusedAndSearchesGoOn(t *testing.T) {
	f := startFleet(t, 2, 1, nil)
	f.fill(animals(50))
	f.broker.Kill()
	response, body := processtest.Do(t, http.DefaultClient, http.MethodPut, f.url("/v1/documents/x"), `{"title": "x"}`)
	if response.StatusCode != 503 && response.StatusCode != 504 || response.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	response, body = processtest.Do(t, http.DefaultClient, http.MethodPut, f.url("/v1/documents/x"), `{"title": "x"}`)
	if response.StatusCode != 503 || !strings.Contains(body, "#log-unavailable") {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if a := f.mustSearch("q", "animal", "require", "all"); a.Total != 50 {
		t.Errorf("%+v", a)
	}
	f.broker.Start()
	await.Seen(t, "writes to be taken again", func() (any, bool) {
		response, body := processtest.Do(t, http.DefaultClient, http.MethodPut, f.url("/v1/documents/y"), `{"title": "animal"}`)
		return body, response.StatusCode == http.StatusOK
	})
	await.Seen(t, "what was written to be found", func() (any, bool) {
		a, err := f.search("q", "animal")
		return err, err == nil && a.Total == 51
	})
}
