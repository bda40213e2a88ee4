package index

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// put is a change that writes a document.
func put(offset int64, id, title, text string, labels ...string) Change {
	d := &document.Document{ID: id, Title: title, Text: text}
	for i := 0; i+1 < len(labels); i += 2 {
		if d.Labels == nil {
			d.Labels = make(map[string]string)
		}
		d.Labels[labels[i]] = labels[i+1]
	}
	return Change{Offset: offset, ID: id, Document: d}
}

func remove(offset int64, id string) Change { return Change{Offset: offset, ID: id} }

func filled(t testing.TB, changes ...Change) *Index {
	t.Helper()
	x := New(Options{Versions: time.Hour})
	if err := x.Apply(changes); err != nil {
		t.Fatal(err)
	}
	return x
}

func parsed(t testing.TB, q string) *query.Node {
	t.Helper()
	n, err := query.Parse(q, query.Options{})
	if err != nil {
		t.Fatalf("parse %q: %v", q, err)
	}
	return n
}

func single(t testing.TB, x *Index, epoch int64, q *query.Node, limit int) wire.SearchAnswer {
	t.Helper()
	answer, err := Single(context.Background(), x, wire.SearchRequest{Epoch: epoch, Plan: wire.Plan{Query: q}, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestScoreIsThatOfTheFormula does the arithmetic of BM25 in the open: 3 documents, of 2, 1 and 4 words.
func TestScoreIsThatOfTheFormula(t *testing.T) {
	x := filled(t, put(0, "a", "dog", "cat"), put(1, "b", "", "bird"), put(2, "c", "", "dog dog bird fish"))
	answer := single(t, x, wire.Latest, parsed(t, "dog"), 10)
	idf := math.Log(1 + (3-2+0.5)/(2+0.5))
	average := 7.0 / 3
	want := map[string]float64{
		"a": idf * (1 * 2.2 / (1 + 1.2*(0.25+0.75*2/average))),
		"c": idf * (2 * 2.2 / (2 + 1.2*(0.25+0.75*4/average))),
	}
	if len(answer.Hits) != 2 || answer.Total != 2 || answer.Documents != 3 || answer.Hits[0].ID != "c" {
		t.Fatalf("got %+v", answer)
	}
	for _, hit := range answer.Hits {
		if got := math.Float64frombits(hit.Bits); math.Abs(got-want[hit.ID]) > 1e-12 {
			t.Errorf("%s: score %v, want %v", hit.ID, got, want[hit.ID])
		}
	}
}

func TestEpochsSeeWhatWasThereAndNothingElse(t *testing.T) {
	x := filled(t, put(5, "a", "", "dog"), put(7, "b", "", "dog"), put(8, "a", "", "cat"), remove(9, "b"))
	want := map[int64]string{0: "", 5: "", 6: "a", 7: "a", 8: "ab", 9: "b", 10: ""}
	for epoch, ids := range want {
		got := ""
		for _, hit := range single(t, x, epoch, parsed(t, "dog"), 10).Hits {
			got += hit.ID
		}
		if got != ids {
			t.Errorf("epoch %d: %q, want %q", epoch, got, ids)
		}
	}
	if _, err := x.At(11); !errors.Is(err, ErrFuture) {
		t.Errorf("an epoch that has not been: %v", err)
	}
	x.Advance(20)
	if got := x.Epoch(); got != 20 {
		t.Errorf("epoch %d after advancing to 20", got)
	}
}

// mustParse is for goroutines that cannot end their test.
func mustParse(q string) *query.Node {
	n, err := query.Parse(q, query.Options{})
	if err != nil {
		panic(err)
	}
	return n
}
