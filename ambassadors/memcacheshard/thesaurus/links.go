package thesaurus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/dictionary"
)

// entry is what matters here of the dictionary's answer: the links of each sense.
type entry struct {
	Entries []struct {
		Senses []map[string]json.RawMessage `json:"senses"`
	} `json:"entries"`
}

// link is a word that another one refers to.
type link struct {
	Word string `json:"word"`
	Href string `json:"href"`
}

// relations are the members of a sense that are links, the closest first.
var relations = []string{"synonyms", "similar", "derived", "see_also", "antonyms", "hypernyms", "hyponyms", "holonyms", "meronyms"}

// linksOf returns the words that a word refers to, each once, the closest first.
// word is as it stands in a URL, unescaped.
func linksOf(ctx context.Context, words *dictionary.Client, word string) ([]link, error) {
	text, err := words.Entry(ctx, word)
	if err != nil {
		return nil, err
	}
	var e entry
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", dictionary.Failed, err)
	}
	return e.links()
}

func (e entry) links() ([]link, error) {
	var all []link
	seen := map[string]bool{}
	for _, relation := range relations {
		for _, part := range e.Entries {
			for _, sense := range part.Senses {
				links, err := decode(sense[relation])
				if err != nil {
					return nil, err
				}
				for _, l := range links {
					if !seen[l.Href] {
						seen[l.Href] = true
						all = append(all, l)
					}
				}
			}
		}
	}
	return all, nil
}

func decode(raw json.RawMessage) ([]link, error) {
	if raw == nil {
		return nil, nil
	}
	var links []link
	if err := json.Unmarshal(raw, &links); err != nil {
		return nil, fmt.Errorf("%w: %w", dictionary.Failed, err)
	}
	return links, nil
}

// key is the word of a link as it stands in a URL, unescaped.
func (l link) key() (string, error) {
	word, err := url.PathUnescape(strings.TrimPrefix(l.Href, "/"))
	if err != nil || word == "" {
		return "", errors.Join(dictionary.Failed, err)
	}
	return word, nil
}
