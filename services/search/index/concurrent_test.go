package index

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// TestReadersSeeWholeBatches writes batches each of which gives all documents the word of its round: whoever sees two rounds at once has
// seen half a change.
func TestReadersSeeWholeBatches(t *testing.T) {
	const documents, rounds, readers = 10, 300, 4
	x := New(Options{Versions: 50 * time.Millisecond})
	round := func(number int) []Change {
		var changes []Change
		for i := range documents {
			text := fmt.Sprintf("common round%d", number)
			changes = append(changes, put(int64(number*documents+i), fmt.Sprint("d", i), "", text, "round", fmt.Sprint(number)))
		}
		return changes
	}
	if err := x.Apply(round(0)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for seen := 0; ; seen++ {
				select {
				case <-done:
					return
				default:
				}
				if err := look(x, documents); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for number := 1; number < rounds; number++ {
		if err := x.Apply(round(number)); err != nil {
			t.Fatal(err)
		}
		if number%50 == 0 {
			x.Sweep()
		}
	}
	close(done)
	wg.Wait()
}

// look asks the newest epoch twice, in two ways each.
func look(x *Index, documents int) error {
	view, err := x.At(wire.Latest)
	if err != nil {
		return err
	}
	var answers [2]wire.SearchAnswer
	for i := range answers {
		q := mustParse("common AND round*")
		answers[i], err = Single(context.Background(), x, wire.SearchRequest{
			Epoch: view.Epoch(), Plan: wire.Plan{Query: q}, Limit: documents + 1, Facets: []string{"round"},
		})
		if errors.Is(err, ErrGone) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	answer := answers[0]
	if !reflect.DeepEqual(answer, answers[1]) {
		return fmt.Errorf("epoch %d was answered in two ways: %+v", view.Epoch(), answers)
	}
	if answer.Total != int64(documents) || answer.Documents != int64(documents) || len(answer.Facets["round"]) != 1 {
		return fmt.Errorf("epoch %d: %d of %d documents, rounds %v", view.Epoch(), answer.Total, answer.Documents, answer.Facets)
	}
	return nil
}
