package index

import (
	"fmt"
	"math"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Bounds of a request.
const (
	MostHits   = 1000
	MostFacets = 8
)

// RequestError says what is wrong with a request; its message may be shown.
type RequestError struct{ About string }

func (e *RequestError) Error() string { return e.About }

func refuse(format string, values ...any) error {
	return &RequestError{About: fmt.Sprintf(format, values...)}
}

func checkQuery(q *query.Node) error {
	if err := query.Check(q); err != nil {
		return &RequestError{About: err.Error()}
	}
	return nil
}

func checkSearch(r *wire.SearchRequest) error {
	if r.Limit < 0 || r.Limit > MostHits {
		return refuse("limit is %d; it may be 0 to %d", r.Limit, MostHits)
	}
	if len(r.Facets) > MostFacets {
		return refuse("%d facets, of at most %d", len(r.Facets), MostFacets)
	}
	if r.After != nil {
		if score := math.Float64frombits(r.After.Bits); math.IsNaN(score) {
			return refuse("after: its score is no number")
		}
	}
	return checkPlan(&r.Plan)
}

// checkPlan refuses a plan whose statistics are not those of its query.
func checkPlan(p *wire.Plan) error {
	if err := checkQuery(p.Query); err != nil {
		return err
	}
	scoring := p.Query.Scoring()
	if len(p.Nodes) != len(scoring) {
		return refuse("plan: %d nodes have statistics, %d score", len(p.Nodes), len(scoring))
	}
	for i, node := range scoring {
		if err := checkWords(node, p.Nodes[i].Words); err != nil {
			return err
		}
	}
	return nil
}

func checkWords(node *query.Node, words []wire.WordStatistics) error {
	if expands(node) {
		if len(words) > MostWords {
			return refuse("plan: a node has %d words, of at most %d", len(words), MostWords)
		}
		for i := 1; i < len(words); i++ {
			if words[i].Word <= words[i-1].Word {
				return refuse("plan: the words of a node are not sorted")
			}
		}
		return nil
	}
	if len(words) != len(node.Words) {
		return refuse("plan: statistics of %d words, where there are %d", len(words), len(node.Words))
	}
	for i := range words {
		if words[i].Word != node.Words[i] {
			return refuse("plan: statistics of other words than those of the query")
		}
	}
	return nil
}
