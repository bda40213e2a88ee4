package index

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/text"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

func TestHitsShowWhatWasFound(t *testing.T) {
	x := filled(t, put(3, "a", "Hot dogs", "The dogs’ houses, not a hot dog; housing of horses.", "pos", "noun"))
	for q, want := range map[string][2]string{
		"dog":                    {"Hot [dogs]", "The [dogs]’ houses, not a hot [dog]; housing of horses."},
		"title:dog":              {"Hot [dogs]", "The dogs’ houses, not a hot dog; housing of horses."},
		`"hot dog"`:              {"[Hot] [dogs]", "The dogs’ houses, not a [hot] [dog]; housing of horses."},
		"text:hous*":             {"Hot dogs", "The dogs’ [houses], not a hot dog; [housing] of horses."},
		"hrose~2":                {"Hot dogs", "The dogs’ houses, not a hot dog; housing of [horses]."},
		"houses AND NOT dog":     {"", ""},
		"housing AND NOT absent": {"Hot dogs", "The dogs’ [houses], not a hot dog; [housing] of horses."},
	} {
		hits := single(t, x, wire.Latest, parsed(t, q), 5).Hits
		if want[0] == "" {
			if len(hits) > 0 {
				t.Errorf("%s: found %+v", q, hits)
			}
			continue
		}
		if len(hits) != 1 || shown(hits[0].Title) != want[0] || shown(hits[0].Snippet) != want[1] {
			t.Errorf("%s: %+v", q, hits)
			continue
		}
		if hits[0].Offset != 3 || hits[0].Labels["pos"] != "noun" {
			t.Errorf("%s: %+v", q, hits[0])
		}
	}
}

func shown(pieces []wire.Piece) string {
	s := ""
	for _, piece := range pieces {
		if piece.Hit {
			s += "[" + piece.Text + "]"
		} else {
			s += piece.Text
		}
	}
	return s
}

func TestDocumentsAreShownByTheirOffsets(t *testing.T) {
	x := filled(t, put(3, "a", "", "hot dog"), put(4, "b", "", "horses houses"), put(9, "a", "", "cat"))
	for epoch, want := range map[int64][]string{4: {"[hot] dog"}, 9: {"[horses] houses", "[hot] dog"}, 10: {"[horses] houses", "cat"}} {
		view, err := x.At(epoch)
		if err != nil {
			t.Fatal(err)
		}
		hits, err := view.Documents([]int64{4, 3, 100, 5, 9, 0}, parsed(t, "hot OR horsse~1 OR hor*"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, hit := range hits {
			got = append(got, shown(hit.Snippet))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("epoch %d: %q, want %q", epoch, got, want)
		}
	}
}

func TestADocumentIsThatOfItsEpoch(t *testing.T) {
	first, second := put(0, "a", "title", "text", "pos", "noun", "topic", ""), put(3, "a", "", "")
	x := filled(t, first, second, remove(5, "a"))
	for epoch, want := range map[int64]*Change{0: nil, 1: &first, 3: &first, 4: &second, 5: &second, 6: nil} {
		view, err := x.At(epoch)
		if err != nil {
			t.Fatal(err)
		}
		got, offset, err := view.Document("a")
		switch {
		case want == nil && !errors.Is(err, ErrUnknown):
			t.Errorf("epoch %d: %+v, %v", epoch, got, err)
		case want != nil && (err != nil || offset != want.Offset || !reflect.DeepEqual(got, want.Document)):
			t.Errorf("epoch %d: %+v at %d, %v; want %+v", epoch, got, offset, err, want.Document)
		}
	}
}

// TestSuggestionsAreTheNearestFormsOfTheEpoch compares with a loop over all words of all documents.
func TestSuggestionsAreTheNearestFormsOfTheEpoch(t *testing.T) {
	check(t, func(t *rapid.T) {
		changes := genChanges(40).Draw(t, "log")
		x := replayed(t, changes, Options{Versions: time.Minute})
		epoch := rapid.Int64Range(x.Oldest(), x.Epoch()).Draw(t, "epoch")
		word := rapid.SampledFrom([]string{"do", "dog", "dogg", "horse", "hot", "recieve", "happily", "café", "zebra"}).Draw(t, "word")
		view, err := x.At(epoch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := view.Suggest(context.Background(), word)
		if err != nil {
			t.Fatal(err)
		}
		want := make(map[string]wire.WordStatistics)
		for _, d := range stateAt(changes, epoch).documents {
			seen := make(map[string]bool)
			for _, token := range append(d.fields[query.TitleField], d.fields[query.TextField]...) {
				edits, near := text.Edits(word, token.Surface, map[bool]int{true: 2, false: 1}[len([]rune(word)) >= 6])
				if !near || len(word) < 3 && edits > 0 || seen[token.Surface] {
					continue
				}
				seen[token.Surface] = true
				want[token.Surface] = wire.WordStatistics{Word: token.Surface, Documents: want[token.Surface].Documents + 1, Edits: edits}
			}
		}
		before := wire.WordStatistics{Edits: -1}
		for _, w := range got.Words {
			if want[w.Word] != w || w.Edits < before.Edits || w.Edits == before.Edits && w.Documents > before.Documents {
				t.Fatalf("%+v, want %+v", got.Words, want)
			}
			before = w
		}
		if len(got.Words) != len(want) {
			t.Fatalf("%+v, want %+v", got.Words, want)
		}
	})
}
