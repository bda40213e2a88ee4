package index

import (
	"cmp"
	"context"
	"slices"
	"unicode/utf8"

	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// mostSuggestions is how many words are suggested.
const mostSuggestions = 64

// Suggest finds surface forms that are written nearly like one, and itself.
func (v *View) Suggest(ctx context.Context, word string) (wire.SuggestAnswer, error) {
	if word == "" || len(word) > longestSuggest {
		return wire.SuggestAnswer{}, refuse("a word has 1 to %d bytes", longestSuggest)
	}
	known, err := v.known()
	if err != nil {
		return wire.SuggestAnswer{}, err
	}
	candidates := near(ctx, known, word, suggestEdits(word))
	if ctx.Err() != nil {
		return wire.SuggestAnswer{}, context.Cause(ctx)
	}
	if err := v.lock(); err != nil {
		return wire.SuggestAnswer{}, err
	}
	answer := wire.SuggestAnswer{Words: []wire.WordStatistics{}}
	for _, c := range candidates {
		if documents := c.form.documents.at(v.epoch); documents[anyField] > 0 {
			answer.Words = append(answer.Words, wire.WordStatistics{Word: c.form.word, Documents: int64(documents[anyField]), Edits: c.edits})
		}
	}
	v.unlock()
	slices.SortFunc(answer.Words, func(a, b wire.WordStatistics) int {
		return cmp.Or(cmp.Compare(a.Edits, b.Edits), cmp.Compare(b.Documents, a.Documents), cmp.Compare(a.Word, b.Word))
	})
	answer.Words = answer.Words[:min(len(answer.Words), mostSuggestions)]
	return answer, nil
}

const longestSuggest = 255

// suggestEdits are as many as a fuzzy word has by default.
func suggestEdits(word string) int {
	switch letters := utf8.RuneCountInString(word); {
	case letters < 3:
		return 0
	case letters < 6:
		return 1
	default:
		return 2
	}
}
