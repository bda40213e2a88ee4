package thesaurus

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/flotilla-dev/flotilla/internal/dictionary"
)

// Related is a word that is related to another one.
type Related struct {
	Word  string `json:"word"`
	Hops  int    `json:"hops"`  // 1: the dictionary says so; 2: it is related to one that is
	Paths int    `json:"paths"` // on how many ways it was found
}

const (
	maxRelated  = 64 // words of an answer
	concurrency = 8  // requests to the dictionary at a time, for one answer
)

// related finds the words that are one or two hops from a word. It is expensive
// on purpose: every word of the first hop costs a request to the dictionary.
func related(ctx context.Context, words *dictionary.Client, word string, breadth int) ([]Related, error) {
	first, err := linksOf(ctx, words, word)
	if err != nil {
		return nil, err
	}
	followed := first[:min(len(first), breadth)]
	second := make([][]link, len(followed))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrency)
	for i, next := range followed {
		g.Go(func() error {
			key, err := next.key()
			if err == nil {
				second[i], err = linksOf(ctx, words, key)
			}
			if errors.Is(err, dictionary.NotFound) { // a link that leads nowhere
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return rank(word, first, second), nil
}

// rank counts the ways to every word and puts the closest and most often found
// first.
func rank(word string, first []link, second [][]link) []Related {
	found := map[string]*Related{}
	note := func(l link, hops int) {
		if l.Href == "/"+word {
			return
		}
		if found[l.Href] == nil {
			found[l.Href] = &Related{Word: l.Word, Hops: hops}
		}
		found[l.Href].Paths++
	}
	for _, l := range first {
		note(l, 1)
	}
	for _, links := range second {
		for _, l := range links {
			note(l, 2)
		}
	}
	all := make([]Related, 0, len(found))
	for _, r := range found {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Related) int {
		return cmp.Or(cmp.Compare(a.Hops, b.Hops), cmp.Compare(b.Paths, a.Paths), cmp.Compare(a.Word, b.Word))
	})
	return all[:min(len(all), maxRelated)]
}
