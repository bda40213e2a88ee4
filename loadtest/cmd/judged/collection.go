package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// leastWords are those that a sentence must have, so that it says more than its verb.
const leastWords = 6

// choose takes queries that no ranking has a say in: of all synsets with a sentence that is long enough, those with the smallest hash.
func choose(synsets []synset, n int) []synset {
	var chosen []synset
	for _, s := range synsets {
		if sentence(s) != "" {
			chosen = append(chosen, s)
		}
	}
	hash := func(s synset) string { h := sha256.Sum256([]byte(s.id)); return string(h[:]) }
	slices.SortFunc(chosen, func(a, b synset) int { return cmp.Compare(hash(a), hash(b)) })
	chosen = chosen[:min(n, len(chosen))]
	slices.SortFunc(chosen, func(a, b synset) int { return cmp.Compare(a.id, b.id) })
	return chosen
}

// sentence is the first example that is long enough, or "".
func sentence(s synset) string {
	for _, e := range s.examples {
		if len(strings.Fields(e)) >= leastWords {
			return e
		}
	}
	return ""
}

type document struct {
	ID    string `json:"_id"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

type query struct {
	ID   string `json:"_id"`
	Text string `json:"text"`
}

func write(dir string, synsets, queries []synset) error {
	if err := os.MkdirAll(filepath.Join(dir, "qrels"), 0o755); err != nil {
		return err
	}
	var corpus, asked, judged bytes.Buffer
	lines := json.NewEncoder(&corpus)
	lines.SetEscapeHTML(false)
	there := map[string]bool{}
	for _, s := range synsets {
		there[s.id] = true
		if err := lines.Encode(document{ID: s.id, Title: strings.Join(s.words, ", "), Text: s.definition}); err != nil {
			return err
		}
	}
	lines = json.NewEncoder(&asked)
	lines.SetEscapeHTML(false)
	judged.WriteString("query-id\tcorpus-id\tscore\n")
	for _, s := range queries {
		id := "q" + s.id // a query and its document must not be taken for each other
		if err := lines.Encode(query{ID: id, Text: sentence(s)}); err != nil {
			return err
		}
		fmt.Fprintf(&judged, "%s\t%s\t2\n", id, s.id)
		for _, r := range s.relatives {
			if !there[r] {
				return fmt.Errorf("synset %s points to %s, which is not there: want all files of one WordNet", s.id, r)
			}
			fmt.Fprintf(&judged, "%s\t%s\t1\n", id, r)
		}
	}
	packed, err := compress(corpus.Bytes())
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"corpus.jsonl.gz": packed, "queries.jsonl": asked.Bytes(), "qrels/test.tsv": judged.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compress writes no time, so that the same collection is the same file.
func compress(text []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
