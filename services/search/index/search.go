package index

import (
	"context"
	"fmt"
	"slices"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// taken is what a search needs of an index, taken at one moment; no later change touches it.
type taken struct {
	epoch     int64
	documents int64
	table     table
	words     [][]postings // of each scoring node
	labels    []postings   // of each label node, in preorder
}

// take takes what a plan needs.
func (v *View) take(plan *wire.Plan) (*taken, error) {
	if err := v.lock(); err != nil {
		return nil, err
	}
	defer v.unlock()
	t := &taken{epoch: v.epoch, documents: v.index.totals.at(v.epoch).documents, table: v.index.table, words: make([][]postings, len(plan.Nodes))}
	for i, node := range plan.Nodes {
		t.words[i] = make([]postings, len(node.Words))
		for k, word := range node.Words {
			if stem := v.index.stems.terms[word.Word]; stem != nil {
				t.words[i][k] = stem.postings
			}
		}
	}
	for _, node := range labelNodes(plan.Query, nil) {
		var p postings
		if label := v.index.labels.terms[labelKey(node.Field, node.Words[0])]; label != nil {
			p = label.postings
		}
		t.labels = append(t.labels, p)
	}
	return t, nil
}

func labelNodes(n *query.Node, all []*query.Node) []*query.Node {
	if n.Kind == query.Label {
		return append(all, n)
	}
	for _, child := range n.Nodes {
		all = labelNodes(child, all)
	}
	return all
}

// program is a query that is ready to go through the versions.
type program struct {
	matcher
	clock  *clock
	leaves []leaf // those that score, in preorder; those below a NOT do not
}

// leaf is one that adds to scores.
type leaf struct {
	scorer
	weighing
	node   *query.Node
	within []*andMatcher // that it is a part of
}

// counts tells whether the leaf adds to the score of the version at which the program stands: it is there, and so is all that is wanted
// together with it.
func (l *leaf) counts(number uint64) bool {
	for _, and := range l.within {
		if and.number != number {
			return false
		}
	}
	return l.scorer.seek(number) == number
}

// compiler makes a program of a plan, node by node in preorder.
type compiler struct {
	plan    *wire.Plan
	taken   *taken
	program *program
	apart   bool          // leaves score by themselves, so that they can be asked for versions that the program does not match
	scoring int           // the next scoring node
	label   int           // the next label node
	negated int           // depth of NOTs
	within  []*andMatcher // that the node is a part of
}

func (t *taken) compile(ctx context.Context, plan *wire.Plan) *program {
	return (&compiler{plan: plan, taken: t}).compile(ctx)
}

func (c *compiler) compile(ctx context.Context) *program {
	c.program = &program{clock: &clock{ctx: ctx}}
	c.program.matcher = c.node(c.plan.Query)
	return c.program
}

func (c *compiler) node(n *query.Node) matcher {
	switch n.Kind {
	case query.Label:
		c.label++
		return &labelMatcher{reader: newReader(c.taken.labels[c.label-1])}
	case query.All:
		return newAllMatcher(c.taken.table)
	case query.And:
		and := &andMatcher{clock: c.program.clock}
		c.within = append(c.within, and)
		and.begin(c.children(n))
		c.within = c.within[:len(c.within)-1]
		return and
	case query.Or:
		return newOrMatcher(c.children(n))
	case query.Not:
		c.negated++
		defer func() { c.negated-- }()
		return newNotMatcher(c.taken.table, c.node(n.Nodes[0]), c.program.clock)
	default:
		return c.leaf(n)
	}
}

func (c *compiler) children(n *query.Node) []matcher {
	all := make([]matcher, len(n.Nodes))
	for i, child := range n.Nodes {
		all[i] = c.node(child)
	}
	return all
}

func (c *compiler) leaf(n *query.Node) matcher {
	words, lists := c.plan.Nodes[c.scoring].Words, c.taken.words[c.scoring]
	c.scoring++
	s := c.scorer(n, words, lists)
	if c.negated > 0 {
		return s
	}
	scores := s
	if c.apart {
		scores = c.scorer(n, words, lists)
	}
	c.program.leaves = append(c.program.leaves, leaf{scorer: scores, weighing: weigh(c.plan, n, words), node: n, within: slices.Clone(c.within)})
	return s
}

func (c *compiler) scorer(n *query.Node, words []wire.WordStatistics, lists []postings) scorer {
	in := field(n.Field)
	switch {
	case expands(n):
		return newGroupMatcher(lists, weights(n, words), in, c.program.clock)
	case n.Kind == query.Phrase:
		var wanted []postings
		var offsets []uint32
		for i, word := range n.Words {
			if word != "" {
				wanted, offsets = append(wanted, lists[i]), append(offsets, uint32(i))
			}
		}
		return newPhraseMatcher(wanted, offsets, in, c.program.clock)
	default:
		return newWordMatcher(lists[0], in, c.program.clock)
	}
}

// score adds up what the leaves say of the version at which the program stands.
func (p *program) score(number uint64, v *version) float64 {
	sum := 0.0
	for i := range p.leaves {
		l := &p.leaves[i]
		if l.counts(number) {
			sum += l.score(l.frequency(), v.length(l.field))
		}
	}
	return sum
}

// each goes through the visible versions that match.
func (p *program) each(t *taken, found func(number uint64, v *version)) error {
	at := cursor{table: t.table}
	for number := p.seek(1); number != none && !p.clock.tick(); number = p.seek(number + 1) {
		if v := at.find(number); v != nil && v.visible(t.epoch) {
			found(number, v)
		}
	}
	if p.clock.over {
		return fmt.Errorf("search: %w", context.Cause(p.clock.ctx))
	}
	return nil
}

// Search finds the best documents, scored with the plan's statistics. The request's epoch is not looked at: the view is of one.
func (v *View) Search(ctx context.Context, request wire.SearchRequest) (wire.SearchAnswer, error) {
	if err := checkSearch(&request); err != nil {
		return wire.SearchAnswer{}, err
	}
	t, err := v.take(&request.Plan)
	if err != nil {
		return wire.SearchAnswer{}, err
	}
	program := t.compile(ctx, &request.Plan)
	best, facets := newTop(request.Limit, request.After), newFacets(request.Facets)
	answer := wire.SearchAnswer{Epoch: v.epoch, Documents: t.documents}
	err = program.each(t, func(number uint64, found *version) {
		answer.Total++
		facets.count(found)
		if request.Limit > 0 {
			best.offer(program.score(number, found), found)
		}
	})
	if err != nil {
		return wire.SearchAnswer{}, err
	}
	answer.Hits, answer.Facets = best.hits(highlighting(request.Plan.Query, request.Plan.Nodes)), facets.counted()
	return answer, nil
}
