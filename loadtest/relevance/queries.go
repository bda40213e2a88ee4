package relevance

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Query is what somebody wants to know.
type Query struct{ ID, Text string }

// ReadQueries reads the queries of BEIR: a JSON object a line, with _id and text.
func ReadQueries(name string) ([]Query, error) { return readFile(name, parseQueries) }

func parseQueries(name string, in io.Reader) ([]Query, error) {
	all := newQueries()
	err := eachLine(name, in, func(line string) error {
		if strings.TrimSpace(line) == "" {
			return nil
		}
		var q struct {
			ID   string `json:"_id"`
			Text string `json:"text"`
		}
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			return fmt.Errorf(`want {"_id": "…", "text": "…"}: %w`, err)
		}
		return all.add(q.ID, q.Text)
	})
	return all.result(name, err)
}

// queries are those that were read, each once.
type queries struct {
	list []Query
	seen map[string]bool
}

func newQueries() *queries { return &queries{seen: map[string]bool{}} }

func (q *queries) add(id, text string) error {
	if err := checkID("query", id); err != nil {
		return err
	}
	if len(text) > maxQueryText {
		return fmt.Errorf("text of query %s has %d bytes: want at most %d", id, len(text), maxQueryText)
	}
	if q.seen[id] {
		return fmt.Errorf("query %s is there twice: want each once", id)
	}
	if len(q.list) == maxQueries {
		return fmt.Errorf("too many queries: want at most %d", maxQueries)
	}
	q.seen[id] = true
	q.list = append(q.list, Query{ID: id, Text: strings.Join(strings.Fields(text), " ")})
	return nil
}

func (q *queries) result(name string, err error) ([]Query, error) {
	if err != nil {
		return nil, err
	}
	if len(q.list) == 0 {
		return nil, fmt.Errorf("%s: no queries", name)
	}
	return q.list, nil
}
