package experiments

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// leafCounts are the numbers of leaves that are measured.
var leafCounts = []int{1, 2, 4, 8}

// sizesRate is how many searches there are per second.
const sizesRate = 20

func sizesOfLeaves(ctx context.Context, r *proof.Report) error {
	most, factors := 0, []int{1, 10}
	if r.Quick {
		most, factors = 3000, []int{1}
	}
	documents, err := searchCorpus(r.Root, most)
	if err != nil {
		return err
	}
	queries := searchQueries(documents, 1100, 21)
	g := rig.New(r)
	defer g.Close()
	kafka, err := newLog(ctx, g)
	if err != nil {
		return err
	}
	t := proof.Table{
		Title:   fmt.Sprintf("Searches of all kinds at %d per second", sizesRate),
		Columns: []string{"documents", "leaves", "indexed per second", "index, bytes per document", "memory, bytes per document", "p50", "p99", "failed"},
	}
	failed, sent := 0, 0
	for _, factor := range factors {
		all := manifold(documents, factor)
		for _, leaves := range leafCounts {
			size, err := sizeOf(ctx, g, kafka, fmt.Sprintf("sizes-%d-%d", factor, leaves), leaves, all, queries, r.Span(30*time.Second, 3*time.Second))
			if err != nil {
				return err
			}
			failed, sent = failed+size.failed, sent+size.sent
			t.Rows = append(t.Rows, []string{proof.Number(float64(len(all))), fmt.Sprint(leaves), proof.Number(size.rate), proof.Number(size.index), proof.Number(size.memory),
				millis(size.p50), millis(size.p99), fmt.Sprintf("%d of %d", size.failed, size.sent)})
			r.Log("%d documents on %d leaves: p50 %s, p99 %s", len(all), leaves, millis(size.p50), millis(size.p99))
		}
	}
	r.Table(t)
	r.Claim(proof.Exactly("searches that failed or were incomplete", failed, 0, fmt.Sprintf("of %d", sent)))
	r.Note("All leaves, the root, the broker, and the load share this machine's processors: more leaves divide the work and not the time. Documents are written through the root in batches of %d, one after the other, and counted as indexed when all leaves answer with them. Memory is the proportional set size of all leaves. Copies of a document differ by the title of another one.", batchDocuments)
	return nil
}

// leafSize is what was measured with a number of leaves.
type leafSize struct {
	rate          float64 // documents per second
	index, memory float64 // bytes per document
	p50, p99      time.Duration
	failed, sent  int
}

func sizeOf(ctx context.Context, g *rig.Rig, kafka *rig.Proc, name string, leaves int, documents []searchDocument, queries []url.Values, span time.Duration) (leafSize, error) {
	var size leafSize
	s, err := newSearch(ctx, g, kafka, searchSpec{name: name, shards: leaves})
	if err != nil {
		return size, err
	}
	defer s.stop()
	begin := time.Now()
	if err := s.fill(ctx, documents); err != nil {
		return size, err
	}
	size.rate = float64(len(documents)) / time.Since(begin).Seconds()
	for _, p := range s.all() {
		status, err := statusOf(ctx, p)
		if err != nil {
			return size, err
		}
		pss, err := machine.PSS(p.PID())
		if err != nil {
			return size, err
		}
		size.index += float64(status.Bytes) / float64(len(documents))
		size.memory += float64(pss) / float64(len(documents))
	}
	query := func(n int) url.Values { return queries[n%len(queries)] }
	if err := s.warmUp(ctx, 50, query); err != nil {
		return size, err
	}
	result, seen := s.searchLoad(ctx, sizesRate, span, false, query)
	size.p50, size.p99 = seen.quantile(0.5), seen.quantile(0.99)
	size.failed, size.sent = int(result.Failed), int(result.Sent)
	return size, nil
}
