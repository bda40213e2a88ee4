package relevance

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ReadJudgements reads the judgements of TREC: query, iteration (ignored), document, grade.
func ReadJudgements(name string) (Judgements, error) { return readFile(name, parseJudgements) }

// ReadTSV reads the judgements of BEIR: a heading, then query, document, grade, separated by tabs.
func ReadTSV(name string) (Judgements, error) { return readFile(name, parseTSV) }

func parseJudgements(name string, in io.Reader) (Judgements, error) {
	all := grades{Judgements{}, 0}
	err := eachLine(name, in, func(line string) error {
		columns := strings.Fields(line)
		if len(columns) == 0 {
			return nil
		}
		if len(columns) != 4 {
			return fmt.Errorf("%d columns: want 4: query, 0, document, grade", len(columns))
		}
		return all.add(columns[0], columns[2], columns[3])
	})
	return all.result(name, err)
}

func parseTSV(name string, in io.Reader) (Judgements, error) {
	all := grades{Judgements{}, 0}
	first := true
	err := eachLine(name, in, func(line string) error {
		columns := strings.Split(line, "\t")
		if first {
			first = false
			if len(columns) != 3 || columns[2] != "score" {
				return fmt.Errorf("heading is %q: want query-id, corpus-id and score, separated by tabs", abbreviated(line))
			}
			return nil
		}
		if strings.TrimSpace(line) == "" {
			return nil
		}
		if len(columns) != 3 {
			return fmt.Errorf("%d columns: want 3, separated by tabs: query, document, grade", len(columns))
		}
		return all.add(columns[0], columns[1], columns[2])
	})
	return all.result(name, err)
}

// grades are judgements while they are read.
type grades struct {
	Judgements
	n int
}

func (g *grades) add(query, document, text string) error {
	if err := errors.Join(checkID("query", query), checkID("document", document)); err != nil {
		return err
	}
	grade, err := strconv.ParseInt(text, 10, 16)
	if err != nil {
		return fmt.Errorf("grade is %q: want a whole number, 0 for not relevant", abbreviated(text))
	}
	if g.n++; g.n > maxJudged {
		return fmt.Errorf("too many judgements: want at most %d", maxJudged)
	}
	if g.Judgements[query] == nil {
		g.Judgements[query] = map[string]int{}
	}
	if _, twice := g.Judgements[query][document]; twice {
		return fmt.Errorf("document %s is judged twice for query %s: want one grade", document, query)
	}
	g.Judgements[query][document] = int(grade)
	return nil
}

func (g *grades) result(name string, err error) (Judgements, error) {
	if err != nil {
		return nil, err
	}
	if g.n == 0 {
		return nil, fmt.Errorf("%s: no judgements", name)
	}
	return g.Judgements, nil
}

// abbreviated keeps an error readable whatever is in a file.
func abbreviated(text string) string {
	if len(text) > 80 {
		return text[:80] + "…"
	}
	return text
}
