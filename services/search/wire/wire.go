// Package wire is what root and leaves say to each other: the bodies of their requests and answers, as JSON.
//
// An epoch of a shard is an offset in its partition of the log: the state after all records before it. Replicas of a shard have the
// same state at the same epoch, so that a request with an epoch may be answered by any of them.
package wire

import (
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/text"
)

// Latest is the epoch of a request that wants the newest state.
const Latest int64 = -1

// EndedHeader is in the answers of a leaf whose partition has ended: what is written now goes to another topic.
const EndedHeader = "X-Log-Ended"

// StatisticsRequest asks for what a query needs to know of a whole corpus: POST /v1/statistics.
type StatisticsRequest struct {
	Query *query.Node `json:"query"`
	Epoch int64       `json:"epoch"`           // Latest, or one that was seen before
	Least int64       `json:"least,omitempty"` // with Latest: an epoch that must have been reached
}

// Statistics are those of a shard at an epoch.
type Statistics struct {
	Epoch     int64            `json:"epoch"`
	Documents int64            `json:"documents"` // that live
	Lengths   map[string]int64 `json:"lengths"`   // tokens of all of them, by field: "", title, text
	Nodes     []NodeStatistics `json:"nodes"`     // of the scoring nodes, in preorder
}

// NodeStatistics are the words of a scoring node: those of the query in their order, or, for a prefix and a fuzzy, the stems that it leads
// to, sorted.
type NodeStatistics struct {
	Words []WordStatistics `json:"words"`
	More  bool             `json:"more,omitempty"` // there are more than may be
}

// WordStatistics tells in how many documents a word is.
//
// Of a stem to which a prefix or a fuzzy word leads, Documents are those of the surface forms that match, added up: a shard in which the
// stem has other forms alone does not know that it is asked for, so numbers of the stem's own documents could not be added up over shards
// and be those of one index. A document with two of the forms counts twice; who scores takes no more than there are documents.
type WordStatistics struct {
	Word      string `json:"word"` // the stem
	Documents int64  `json:"documents"`
	Edits     int    `json:"edits,omitempty"` // of a fuzzy: the fewest between it and a surface form of the stem
}

// Plan is a query with what must be known of the whole corpus to score it: the sums of the statistics of all shards.
type Plan struct {
	Query     *query.Node      `json:"query"`
	Documents int64            `json:"documents"`
	Lengths   map[string]int64 `json:"lengths"`
	Nodes     []NodeStatistics `json:"nodes"`
}

// SearchRequest asks for the best documents of a shard: POST /v1/search.
type SearchRequest struct {
	Epoch  int64    `json:"epoch"`
	Plan   Plan     `json:"plan"`
	Limit  int      `json:"limit"`
	After  *Place   `json:"after,omitempty"` // hits begin behind this place
	Facets []string `json:"facets,omitempty"`
}

// Place is one in the order of hits: by score, the highest first, then by id, in the order of bytes. The bits of a score are kept, so that
// no rounding moves a place.
type Place struct {
	Bits uint64 `json:"bits"` // math.Float64bits of the score
	ID   string `json:"id"`
}

// SearchAnswer is a shard's part of the answer.
type SearchAnswer struct {
	Epoch     int64                     `json:"epoch"`
	Documents int64                     `json:"documents"` // that were searched
	Total     int64                     `json:"total"`     // that match
	Hits      []Hit                     `json:"hits"`
	Facets    map[string]map[string]int `json:"facets,omitempty"` // label → value → documents that match
}

// Hit is a document that was found.
type Hit struct {
	ID      string            `json:"id"`
	Offset  int64             `json:"offset"` // of its version in the log
	Bits    uint64            `json:"bits"`   // of its score, as in Place
	Title   []Piece           `json:"title"`
	Snippet []Piece           `json:"snippet"`
	Labels  map[string]string `json:"labels,omitempty"`
}

// Piece is a part of a text; Hit says that it is what was looked for.
type Piece = text.Piece

// TermsRequest asks for all documents with a word, of a leaf that has all documents: POST /v1/terms. The answer is a Postings.
type TermsRequest struct {
	Epoch int64      `json:"epoch"`
	Least int64      `json:"least,omitempty"`
	Node  query.Node `json:"node"` // a Term
	Limit int        `json:"limit"`
}

// DocumentsRequest asks for documents by their versions: POST /v1/documents. Those that are not there at the epoch are left out.
type DocumentsRequest struct {
	Epoch   int64       `json:"epoch"`
	Offsets []int64     `json:"offsets"`
	Query   *query.Node `json:"query,omitempty"` // what is shown as found
}

// DocumentsAnswer has a hit for each document, without scores.
type DocumentsAnswer struct {
	Epoch int64 `json:"epoch"`
	Hits  []Hit `json:"hits"`
}

// ExplainRequest asks why a document has its score: POST /v1/explain.
type ExplainRequest struct {
	Epoch int64  `json:"epoch"`
	Plan  Plan   `json:"plan"`
	ID    string `json:"id"`
}

// Explanation is a score with its parts.
type Explanation struct {
	Score float64       `json:"score"`
	About string        `json:"about"`
	Parts []Explanation `json:"parts,omitempty"`
}

// SuggestRequest asks how a word might have been meant: POST /v1/suggest.
type SuggestRequest struct {
	Epoch int64  `json:"epoch"`
	Word  string `json:"word"` // a surface form, lower-cased
}

// SuggestAnswer are surface forms nearly written like a word, with the number of documents they are in; also the word itself.
type SuggestAnswer struct {
	Words []WordStatistics `json:"words"` // at most 64, by edits, then documents, most first, then by word
}

// Status is what a leaf tells of itself: GET /v1/status.
type Status struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Epoch     int64    `json:"epoch"`  // applied
	Oldest    int64    `json:"oldest"` // that can be asked for
	Documents int64    `json:"documents"`
	Words     int64    `json:"words"` // distinct stems
	Bytes     int64    `json:"bytes"` // that the index takes, about
	Marks     []string `json:"marks"`
	Snapshot  int64    `json:"snapshot"` // epoch of the last snapshot on disk; -1: none
}
