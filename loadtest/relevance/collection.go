package relevance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Collection is what a ranking is measured on.
type Collection struct {
	Queries    []Query // those that somebody judged
	Judgements Judgements
	Documents  string // file of the documents; "" when there is none
}

// OpenBEIR reads a folder in the form of BEIR, whose files may be compressed. Its judgements are those of a split: test, dev, train.
func OpenBEIR(dir, split string) (Collection, error) {
	queries, err := either(filepath.Join(dir, "queries.jsonl"))
	if err != nil {
		return Collection{}, err
	}
	judgements, err := either(filepath.Join(dir, "qrels", split+".tsv"))
	if err != nil {
		return Collection{}, err
	}
	documents, err := either(filepath.Join(dir, "corpus.jsonl"))
	if err != nil {
		return Collection{}, err
	}
	c := Collection{Documents: documents}
	if c.Queries, err = ReadQueries(queries); err != nil {
		return Collection{}, err
	}
	if c.Judgements, err = ReadTSV(judgements); err != nil {
		return Collection{}, err
	}
	return c, c.keepJudged(queries, judgements)
}

// OpenTREC reads topics and judgements of TREC.
func OpenTREC(topics, judgements, documents string, fields ...string) (Collection, error) {
	c := Collection{Documents: documents}
	var err error
	if c.Queries, err = ReadTopics(topics, fields...); err != nil {
		return Collection{}, err
	}
	if c.Judgements, err = ReadJudgements(judgements); err != nil {
		return Collection{}, err
	}
	return c, c.keepJudged(topics, judgements)
}

// keepJudged leaves out queries without judgements, such as those of another split. Judgements without a query mean that two files do not
// belong together.
func (c *Collection) keepJudged(queries, judgements string) error {
	var kept []Query
	for _, q := range c.Queries {
		if c.Judgements[q.ID] != nil {
			kept = append(kept, q)
		}
	}
	c.Queries = kept
	if len(kept) < len(c.Judgements) {
		there := map[string]bool{}
		for _, q := range kept {
			there[q.ID] = true
		}
		missing := ""
		for id := range c.Judgements {
			if !there[id] && (missing == "" || numerically(id, missing) < 0) {
				missing = id
			}
		}
		return fmt.Errorf("%s judges query %s, which is not in %s: want files that belong together", judgements, missing, queries)
	}
	return nil
}

// either is the name of a file as it is there: plain, or compressed.
func either(name string) (string, error) {
	for _, n := range []string{name, name + ".gz"} {
		switch _, err := os.Stat(n); {
		case err == nil:
			return n, nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
	}
	return "", fmt.Errorf("neither %s nor %s.gz is there", name, filepath.Base(name))
}
