package relevance

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// maxHits bounds the documents in the answer to one query.
const maxHits = 100_000

// ReadRun reads a run file of TREC: query, Q0, document, rank, score, name of the run. As for trec_eval the rank says nothing.
func ReadRun(name string) (Run, error) { return readFile(name, parseRun) }

func parseRun(name string, in io.Reader) (Run, error) {
	run := Run{}
	seen := map[string]bool{} // documents of the query before, and of others
	err := eachLine(name, in, func(line string) error {
		columns := strings.Fields(line)
		if len(columns) == 0 {
			return nil
		}
		if len(columns) != 6 {
			return fmt.Errorf("%d columns: want 6: query, Q0, document, rank, score, name", len(columns))
		}
		query, document := columns[0], columns[2]
		if err := errors.Join(checkID("query", query), checkID("document", document)); err != nil {
			return err
		}
		score, err := strconv.ParseFloat(columns[4], 64)
		if err != nil || math.IsNaN(score) || math.IsInf(score, 0) {
			return fmt.Errorf("score is %q: want a number", abbreviated(columns[4]))
		}
		key := query + " " + document
		if seen[key] {
			return fmt.Errorf("document %s is there twice for query %s: want it once", document, query)
		}
		if len(run[query]) == maxHits || len(seen) == maxJudged {
			return fmt.Errorf("too many documents: want at most %d for a query and %d in all", maxHits, maxJudged)
		}
		seen[key] = true
		run[query] = append(run[query], Hit{Document: document, Score: score})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(run) == 0 {
		return nil, fmt.Errorf("%s: no answers", name)
	}
	return run, nil
}

// WriteRun writes a run file, which any tool for TREC reads. Scores are written with all their digits.
func WriteRun(name, tag string, run Run) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	for _, query := range slices.SortedFunc(maps.Keys(run), numerically) {
		for i, h := range run[query] {
			fmt.Fprintf(out, "%s Q0 %s %d %s %s\n", query, h.Document, i+1, strconv.FormatFloat(h.Score, 'g', -1, 64), tag)
		}
	}
	return errors.Join(out.Flush(), file.Close())
}

// numerically puts query 9 before query 10.
func numerically(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }
