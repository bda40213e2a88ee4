package thesaurus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// dictionary asks the dictionary service.
type dictionary struct {
	client *http.Client
	base   string // URL of its words
	asked  atomic.Uint64
}

var (
	notFound = problem.New(http.StatusNotFound, "word-not-found", "the dictionary does not have this word")
	failed   = problem.New(http.StatusBadGateway, "upstream-failed", "the dictionary gave no valid answer")
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

// links returns the words that a word refers to, each once, the closest first.
// word is as it stands in a URL, unescaped.
func (d *dictionary) links(ctx context.Context, word string) ([]link, error) {
	d.asked.Add(1)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+url.PathEscape(word), nil)
	if err != nil {
		return nil, fmt.Errorf("ask dictionary: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := d.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", failed, err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusPermanentRedirect: // another spelling is another word
		return nil, notFound
	default:
		return nil, fmt.Errorf("%w: status %d", failed, answer.StatusCode)
	}
	var e entry
	if err := json.NewDecoder(answer.Body).Decode(&e); err != nil { // bounded by the client
		return nil, fmt.Errorf("%w: %w", failed, err)
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
		return nil, fmt.Errorf("%w: %w", failed, err)
	}
	return links, nil
}

// key is the word of a link as it stands in a URL, unescaped.
func (l link) key() (string, error) {
	word, err := url.PathUnescape(strings.TrimPrefix(l.Href, "/"))
	if err != nil || word == "" {
		return "", errors.Join(failed, err)
	}
	return word, nil
}
