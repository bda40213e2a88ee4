package index

import (
	"strings"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/text"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// snippetBytes is about how much of a text is shown.
const snippetBytes = 240

// highlighter shows what was found in documents.
type highlighter struct {
	title, text marks
}

// marks are what is shown as found in a field.
type marks struct {
	stems   map[string]bool
	phrases [][]string
	forms   []*query.Node // prefixes and fuzzy words whose stems are not known
}

// highlighting prepares the showing of what a query looks for. Without statistics, prefixes and fuzzy words show the forms that match,
// with them all forms of the stems that were searched for.
func highlighting(q *query.Node, nodes []wire.NodeStatistics) *highlighter {
	h := &highlighter{title: marks{stems: make(map[string]bool)}, text: marks{stems: make(map[string]bool)}}
	if q == nil {
		return h
	}
	wanted := make(map[*query.Node]bool)
	for _, node := range positive(q, nil) {
		wanted[node] = true
	}
	for i, node := range q.Scoring() {
		var words []wire.WordStatistics
		if nodes != nil {
			words = nodes[i].Words
		}
		if !wanted[node] {
			continue
		}
		if node.Field != query.TextField {
			h.title.add(node, words)
		}
		if node.Field != query.TitleField {
			h.text.add(node, words)
		}
	}
	return h
}

// positive are the scoring nodes that are not below a NOT.
func positive(n *query.Node, all []*query.Node) []*query.Node {
	if n.Scores() {
		return append(all, n)
	}
	if n.Kind != query.Not {
		for _, child := range n.Nodes {
			all = positive(child, all)
		}
	}
	return all
}

func (m *marks) add(node *query.Node, words []wire.WordStatistics) {
	switch {
	case node.Kind == query.Phrase:
		m.phrases = append(m.phrases, node.Words)
	case node.Kind == query.Term:
		m.stems[node.Words[0]] = true
	case words == nil:
		m.forms = append(m.forms, node)
	default:
		for _, word := range words {
			m.stems[word.Word] = true
		}
	}
}

func (m *marks) match(t text.Token) bool {
	if m.stems[t.Stem] {
		return true
	}
	for _, node := range m.forms {
		if node.Kind == query.Prefix && strings.HasPrefix(t.Surface, node.Words[0]) {
			return true
		}
		if node.Kind == query.Fuzzy {
			if _, is := text.Edits(node.Words[0], t.Surface, node.Edits); is {
				return true
			}
		}
	}
	return false
}

// hit shows a version, without a score.
func (h *highlighter) hit(v *version) wire.Hit {
	return wire.Hit{
		ID: v.id(), Offset: v.added, Labels: unpackLabels(v.labels.Value()),
		Title:   pieces(text.Mark(v.titleText(), h.title.match, h.title.phrases)),
		Snippet: pieces(text.Snippet(v.textText(), h.text.match, h.text.phrases, snippetBytes)),
	}
}

func pieces(parts []text.Piece) []wire.Piece {
	all := make([]wire.Piece, len(parts))
	for i, part := range parts {
		all[i] = wire.Piece(part)
	}
	return all
}

// MostDocuments is how many documents can be asked for at once by their offsets.
const MostDocuments = MostHits

// Documents shows the documents of some versions, in the order in which they are asked for; q, which may be nil, is what is shown as
// found. Those that are not part of the state are left out.
func (v *View) Documents(offsets []int64, q *query.Node) ([]wire.Hit, error) {
	if len(offsets) > MostDocuments {
		return nil, refuse("%d offsets, of at most %d", len(offsets), MostDocuments)
	}
	if q != nil {
		if err := checkQuery(q); err != nil {
			return nil, err
		}
	}
	if err := v.lock(); err != nil {
		return nil, err
	}
	kept := v.index.table
	v.unlock()
	h, hits := highlighting(q, nil), make([]wire.Hit, 0, len(offsets))
	for _, offset := range offsets {
		if found := kept.written(offset); found != nil && found.visible(v.epoch) {
			hits = append(hits, h.hit(found))
		}
	}
	return hits, nil
}
