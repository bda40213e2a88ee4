package experiments

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

// writesAndTheLog writes and reads at once, and takes the log away.
func writesAndTheLog(ctx context.Context, r *proof.Report) error {
	writes := 1000
	if r.Quick {
		writes = 50
	}
	s, documents, err := filledSearch(ctx, r, searchSpec{name: "writes", shards: 3, replicas: 2})
	if err != nil {
		return err
	}
	defer s.rig.Close()
	if err := s.readYourWrites(ctx, r, writes); err != nil {
		return err
	}
	return s.withoutLog(ctx, r, documents)
}

// readYourWrites writes documents, and looks for each at once; then ends them, and looks for each again.
func (s *searchRig) readYourWrites(ctx context.Context, r *proof.Report, writes int) error {
	missed, ghosts, missedWithout := 0, 0, 0
	count := func(word string, least epochs) (int64, error) {
		v := ask(word)
		if least != nil {
			v.Set("min_epochs", least.String())
		}
		a, err := s.found(ctx, v)
		return a.Total, err
	}
	for i := range writes {
		word := fmt.Sprintf("fresh%06dword", i)
		e, err := s.put(ctx, searchDocument{ID: word, Title: word, Text: "written just now"})
		if err != nil {
			return err
		}
		without, err := count(word, nil)
		if err != nil {
			return err
		}
		with, err := count(word, e)
		if err != nil {
			return err
		}
		missedWithout += 1 - int(without)
		missed += 1 - int(with)
		if e, err = s.delete(ctx, word); err != nil {
			return err
		}
		if with, err = count(word, e); err != nil {
			return err
		}
		ghosts += int(with)
	}
	r.Claim(proof.Exactly("documents that were not found by who wrote them and waits for their epoch", missed, 0, fmt.Sprintf("of %d", writes)))
	r.Claim(proof.Exactly("documents that were found by who has deleted them", ghosts, 0, fmt.Sprintf("of %d", writes)))
	r.Measured("not found at once by who does not wait", float64(missedWithout), fmt.Sprintf("of %d", writes))
	return nil
}

// withoutLog takes Kafka away while users search, and gives it back.
func (s *searchRig) withoutLog(ctx context.Context, r *proof.Report, documents []searchDocument) error {
	queries := searchQueries(documents, 500, 61)
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan openloop.Result, 1)
	go func() {
		result, _ := s.searchLoad(loadCtx, 50, 0, false, func(n int) url.Values { return queries[n%len(queries)] })
		results <- result
	}()
	quiet := r.Span(5*time.Second, time.Second)
	err := retry.Sleep(ctx, quiet)
	s.kafka.Kill()
	refusals, unknown, taken, back := 0, 0, 0, time.Duration(0)
	const tries = 10
	for range tries {
		if err != nil {
			break
		}
		var no searchRefused
		_, wrote := s.put(ctx, searchDocument{ID: "while-away", Title: "nobody reads this", Text: "yet"})
		switch {
		case wrote == nil:
			taken++
		case errors.As(wrote, &no) && no.status == http.StatusServiceUnavailable && no.retryAfter != "":
			refusals++
		case errors.As(wrote, &no) && no.status == http.StatusGatewayTimeout:
			unknown++
		default:
			r.Note("a write without Kafka: %v", wrote)
		}
		err = retry.Sleep(ctx, quiet/tries)
	}
	if err == nil {
		if err = s.kafka.Restart(ctx); err == nil {
			back, err = s.writesAgain(ctx)
		}
	}
	stop()
	result := <-results
	if err != nil {
		return err
	}
	r.Claim(proof.AtLeast("writes that are refused with 503 and Retry-After while Kafka is away", float64(refusals), tries-1, fmt.Sprintf("of %d", tries)))
	r.Claim(proof.Exactly("writes that are neither refused nor told to be of unknown outcome", tries-refusals-unknown, 0, fmt.Sprintf("of %d", tries)))
	r.Claim(proof.Exactly("writes that are acknowledged while Kafka is away", taken, 0, fmt.Sprintf("of %d", tries)))
	r.Claim(proof.Exactly("searches that failed or were incomplete meanwhile", int(result.Failed), 0, fmt.Sprintf("of %d", result.Sent)))
	r.Note("The first write after the loss may have been on its way: then nobody knows whether the log has it, and the answer is 504 and says so.")
	r.Measured("from Kafka's return until a write is found", back.Seconds(), "s")
	for why, n := range result.Reasons {
		r.Note("%d × %s", n, why)
	}
	return nil
}

// writesAgain waits until a document can be written, and found.
func (s *searchRig) writesAgain(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	begin := time.Now()
	for {
		e, err := s.put(ctx, searchDocument{ID: "back", Title: "backagainword", Text: "found"})
		if err == nil {
			v := ask("backagainword")
			v.Set("min_epochs", e.String())
			a, err := s.search(ctx, v)
			if err == nil && a.whole() && a.Total == 1 {
				return time.Since(begin), nil
			}
		}
		if waiting := retry.Sleep(ctx, 100*time.Millisecond); waiting != nil {
			return 0, fmt.Errorf("no write goes through after Kafka's return: %v", err)
		}
	}
}
