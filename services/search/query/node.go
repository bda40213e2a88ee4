package query

// Kind is what a node of a query is.
type Kind string

// The kinds of nodes. Those that score are counted in preorder: the nth of them has the nth entry of the statistics.
const (
	Term   Kind = "term"   // one word; scores
	Phrase Kind = "phrase" // words that follow each other; scores
	Prefix Kind = "prefix" // all words that begin like this; scores
	Fuzzy  Kind = "fuzzy"  // all words that are written nearly like this; scores
	Label  Kind = "label"  // documents with a label
	All    Kind = "all"    // all documents
	And    Kind = "and"
	Or     Kind = "or"
	Not    Kind = "not" // of its only child
)

// Fields that can be searched. AnyField is title and text together, with lengths and frequencies of its own.
const (
	AnyField   = ""
	TitleField = "title"
	TextField  = "text"
)

// Node is a node of a query, as it is parsed by the root and sent to the leaves.
type Node struct {
	Kind  Kind   `json:"kind"`
	Field string `json:"field,omitempty"` // of Term, Phrase, Prefix and Fuzzy; the name of a Label
	// Words are those to be found: the stem of a Term; the stems of a Phrase, where "" stands for any word (one that is too
	// common to be indexed); the surface form, not stemmed, of a Prefix and a Fuzzy; the value of a Label.
	Words []string `json:"words,omitempty"`
	// Written are the surface forms of a Term's and a Phrase's words, as they were asked for: the canonical text and suggestions need them,
	// as a stem cannot be stemmed again. Nobody needs them to search.
	Written []string `json:"written,omitempty"`
	Edits   int      `json:"edits,omitempty"` // of a Fuzzy: how many at most, 1 or 2
	Nodes   []*Node  `json:"nodes,omitempty"` // of And, Or and Not
}

// Scores tells whether documents get a score for the node.
func (n *Node) Scores() bool {
	return n.Kind == Term || n.Kind == Phrase || n.Kind == Prefix || n.Kind == Fuzzy
}

// Scoring lists the nodes that score, in preorder.
func (n *Node) Scoring() []*Node {
	if n.Scores() {
		return []*Node{n}
	}
	var all []*Node
	for _, child := range n.Nodes {
		all = append(all, child.Scoring()...)
	}
	return all
}
