package search

import (
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// An Answer is what a search finds.
type Answer struct {
	Query      string                    `json:"query"` // canonical
	TookMS     float64                   `json:"took_ms"`
	Total      int64                     `json:"total"`
	Harvest    Harvest                   `json:"harvest"`
	Hits       []Hit                     `json:"hits"`
	Facets     map[string]map[string]int `json:"facets,omitempty"`
	Suggestion string                    `json:"suggestion,omitempty"` // the query as it may have been meant
	Next       string                    `json:"next,omitempty"`       // cursor of the next page
	Epochs     map[string]int64          `json:"epochs"`               // by shard
	Layout     string                    `json:"layout"`               // whose shards and epochs these are: its topic
	// Unconfirmed: the control topic is silent, so that another layout may serve by now.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
	Hedged      int  `json:"hedged"` // calls that were made to a second replica
}

// Harvest is how much of the whole an answer is of.
type Harvest struct {
	Documents float64   `json:"documents"` // the share of documents that were searched
	Shards    int       `json:"shards"`
	Answered  int       `json:"answered"`
	Missing   []Missing `json:"missing"`
}

// Missing is a shard that is not in an answer.
type Missing struct {
	Shard  int    `json:"shard"`
	Reason string `json:"reason"`
}

// Hit is a document that was found.
type Hit struct {
	ID          string            `json:"id"`
	Score       float64           `json:"score"`
	Title       string            `json:"title"`
	TitlePieces []wire.Piece      `json:"title_pieces"` // the same, with what was looked for
	Snippet     []wire.Piece      `json:"snippet"`
	Labels      map[string]string `json:"labels,omitempty"`
	Shard       int               `json:"shard"`
	Explanation *wire.Explanation `json:"explanation,omitempty"`
}
