package experiments

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

// slowLeafGetsLess slows one of three leaves that have all documents, and counts the words that each is asked for.
func slowLeafGetsLess(ctx context.Context, r *proof.Report) error {
	s, documents, err := filledSearch(ctx, r, searchSpec{name: "fastest", shards: 1, replicas: 3, terms: true, leaf: map[string]string{"FAULTS": "on"}})
	if err != nil {
		return err
	}
	defer s.rig.Close()
	queries := termQueries(documents, 500)
	query := func(n int) url.Values { return queries[n%len(queries)] }
	if err := s.warmUp(ctx, 50, query); err != nil {
		return err
	}
	victim := s.leaves[0][0]
	var shares [2]float64
	var results [2]openloop.Result
	for i := range shares {
		err := s.share(ctx, victim, &shares[i], func() error {
			results[i], _ = s.searchLoad(ctx, noisyRate, r.Span(15*time.Second, 3*time.Second), false, query)
			return ctx.Err()
		})
		if err == nil && i == 0 {
			err = setFaults(ctx, victim, `[{"path": "/v1/terms", "fault": "latency", "delay": "50ms"}]`)
		}
		if err != nil {
			return err
		}
	}
	r.Claim(proof.Exactly("searches that failed", int(results[0].Failed+results[1].Failed), 0, fmt.Sprintf("of %d", results[0].Sent+results[1].Sent)))
	r.Claim(proof.AtMost("share of the calls to a leaf that answers 50 ms later, beside its share before", shares[1]/shares[0], 0.5, "×"))
	r.Measured("share of the calls before", 100*shares[0], "%")
	r.Measured("share of the calls while it is slow", 100*shares[1], "%")
	r.Measured("p99 before", milliseconds(results[0].Latency.Quantile(0.99)), "ms")
	r.Measured("p99 while it is slow", milliseconds(results[1].Latency.Quantile(0.99)), "ms")
	r.Note("Three leaves with all %d documents; %d searches per second for one to four words.", len(documents), noisyRate)
	return nil
}
