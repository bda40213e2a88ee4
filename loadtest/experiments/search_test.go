package experiments

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// What these claim depends on no clock, so every run of the tests has them: the identity of a small corpus, the loss of a replica, and the
// harvest without a shard.
func TestASearchAnswersAsOneIndexAndOutlivesItsReplicas(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: no search was started")
	}
	documents, err := searchCorpus("../..", 600)
	if err != nil {
		t.Fatal(err)
	}
	run := newIdentityRun(documents, 66)
	g := &rig.Rig{Dir: t.TempDir(), Root: "../..", Log: t.Logf}
	defer g.Close()
	kafka, err := newLog(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	one := started(t, g, kafka, searchSpec{name: "one", shards: 1})
	many := started(t, g, kafka, searchSpec{name: "many", shards: 3, replicas: 2})
	for _, s := range []*searchRig{one, many} {
		if err := s.fill(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
	}
	same(t, run, one, many)
	for _, s := range []*searchRig{one, many} {
		if err := run.change(t.Context(), s.searchClient); err != nil {
			t.Fatal(err)
		}
	}
	same(t, run, one, many)
	many.losesReplicas(t, run)
	many.losesAShard(t)
}

func started(t *testing.T, g *rig.Rig, kafka *rig.Proc, spec searchSpec) *searchRig {
	t.Helper()
	s, err := newSearch(t.Context(), g, kafka, spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// same asks both everything.
func same(t *testing.T, run identityRun, one, many *searchRig) {
	t.Helper()
	first, err := run.ask(t.Context(), one.searchClient)
	if err != nil {
		t.Fatal(err)
	}
	second, err := run.ask(t.Context(), many.searchClient)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for i := range first {
		for n := range min(len(first[i]), len(second[i])) {
			if why, _ := first[i][n].differs(second[i][n]); why != "" {
				t.Errorf("%s, page %d: %s", run.queries[i].Get("q"), n+1, why)
			}
			found += len(first[i][n].Hits)
		}
		if len(first[i]) != len(second[i]) {
			t.Errorf("%s: %d and %d pages", run.queries[i].Get("q"), len(first[i]), len(second[i]))
		}
	}
	if found < len(first) {
		t.Errorf("%d queries find %d documents: they compare nothing", len(first), found)
	}
}

// losesReplicas kills one replica of every shard while users search: nobody notices.
func (s *searchRig) losesReplicas(t *testing.T, run identityRun) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	results := make(chan openloop.Result, 1)
	go func() {
		result, _ := s.searchLoad(ctx, 20, 0, false, func(n int) url.Values { return run.queries[n%len(run.queries)] })
		results <- result
	}()
	for _, replicas := range s.leaves {
		p := replicas[0]
		p.Kill()
		await.That(t, "the root answers without "+p.Spec.Name, func() bool {
			a, err := s.search(t.Context(), ask("*"))
			return err == nil && a.whole()
		})
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := retry.Sleep(t.Context(), time.Second); err != nil { // of load on what has come back
		t.Fatal(err)
	}
	stop()
	if result := <-results; result.Failed > 0 || result.Good != result.Sent || result.Sent == 0 {
		t.Errorf("%d of %d searches failed or were incomplete: %v", result.Failed, result.Sent, result.Reasons)
	}
}

// losesAShard kills both replicas of a shard: what is left is answered, with its harvest, and who wants all is told.
func (s *searchRig) losesAShard(t *testing.T) {
	t.Helper()
	for _, p := range s.leaves[1] {
		p.Kill()
	}
	all := ask("*")
	all.Set("require", "all")
	await.That(t, "the harvest is a part, and all of it cannot be had", func() bool {
		a, err := s.search(t.Context(), ask("*"))
		whole, err2 := s.search(t.Context(), all)
		return err == nil && err2 == nil && a.status == 200 && a.Harvest.Shards == 3 && a.Harvest.Answered == 2 &&
			a.Harvest.Documents > 0.5 && a.Harvest.Documents < 0.8 && len(a.Hits) == 10 && whole.status == 503
	})
	if err := s.leaves[1][0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the shard is back", func() bool {
		a, err := s.search(t.Context(), all)
		return err == nil && a.whole()
	})
}
