package query

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Options decide what the language leaves open.
type Options struct {
	Operator Kind // of words side by side: And; anything else is Or
}

// Parse reads a query. Its error is an *Error.
func Parse(text string, o Options) (*Node, error) {
	root, _, err := ParseColumns(text, o)
	return root, err
}

// ParseColumns also tells in which columns the nodes begin that score, in preorder, for what is found wrong with them later. Columns are of
// the text, not of the query: the same query can be written in many ways.
func ParseColumns(text string, o Options) (*Node, []int, error) {
	p := &parser{columns: map[*Node]int{}, operator: o.Operator}
	root, err := p.query(text)
	if err != nil {
		return nil, nil, err
	}
	var columns []int
	for _, n := range root.Scoring() {
		columns = append(columns, p.columns[n])
	}
	return root, columns, nil
}

func (p *parser) query(text string) (*Node, error) {
	if err := fits(text); err != nil {
		return nil, err
	}
	if p.operator != And {
		p.operator = Or
	}
	p.letters = []rune(text)
	root, err := p.alternatives(AnyField)
	if err != nil {
		return nil, err
	}
	if p.peek() == closing {
		return nil, p.wrong(p.at, "no parenthesis is open that this one could close: remove it, or put it into quotes")
	}
	if root == nil {
		return nil, p.nothing()
	}
	if long := len(root.String()); long > Longest {
		return nil, p.wrong(0, "the query is too long: written out it takes %d bytes, of at most %d", long, Longest)
	}
	return root, nil
}

// fits checks what is known before parsing.
func fits(text string) error {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return &Error{column(text, i), "the query is not UTF-8 here"}
			}
		}
		if i+utf8.RuneLen(r) > Longest {
			return &Error{column(text, i), fmt.Sprintf("the query is too long: %d bytes, of at most %d", len(text), Longest)}
		}
	}
	return nil
}

// column is that of the letter at an offset, from 1.
func column(text string, offset int) int { return utf8.RuneCountInString(text[:offset]) + 1 }

// parser descends recursively: alternatives are rows, a row has chains, a chain has clauses. Each of its methods returns no node for what
// has only words that are too common.
type parser struct {
	lexer
	operator Kind
	columns  map[*Node]int // of nodes that score, from 1
	nested   int           // parentheses and NOTs around the place
	scoring  int           // nodes so far
	common   bool          // a word was left out because it is too common
}

// nothing says why nothing is left to search for.
func (p *parser) nothing() error {
	switch {
	case p.common:
		return p.wrong(0, "only words that are too common: add one that is rarer")
	case strings.TrimSpace(string(p.letters)) == "":
		return p.wrong(0, "the query is empty: write a word, or * for all documents")
	}
	return p.wrong(0, "there is no word in the query: a word has a letter, a digit or an emoji")
}

// alternatives are rows with OR between them.
func (p *parser) alternatives(field string) (*Node, error) {
	start := p.begin()
	var rows []*Node
	for {
		row, err := p.row(field)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
		if p.peek() != or {
			return p.join(start, Or, rows)
		}
		if err := p.infix(); err != nil {
			return nil, err
		}
	}
}

// row is clauses side by side. Those with words are joined by the operator; those without are conditions.
func (p *parser) row(field string) (*Node, error) {
	start := p.begin()
	if p.peek() == or {
		return p.clause(field) // which says what is missing before it
	}
	var wanted, conditions []*Node
	for next := p.peek(); next != end && next != closing && next != or; next = p.peek() {
		chain, err := p.chain(field)
		switch {
		case err != nil:
			return nil, err
		case chain != nil && chain.wantsWords():
			wanted = append(wanted, chain)
		default:
			conditions = append(conditions, chain)
		}
	}
	words, err := p.join(start, p.operator, wanted)
	if err != nil {
		return nil, err
	}
	return p.join(start, And, append([]*Node{words}, conditions...))
}

// wantsWords tells whether a word stands in a node that must not be there.
func (n *Node) wantsWords() bool {
	if n.Kind == Not {
		return false
	}
	for _, child := range n.Nodes {
		if child.wantsWords() {
			return true
		}
	}
	return n.Scores()
}

// chain is clauses with AND between them.
func (p *parser) chain(field string) (*Node, error) {
	start := p.begin()
	var clauses []*Node
	for {
		clause, err := p.clause(field)
		if err != nil {
			return nil, err
		}
		clauses = append(clauses, clause)
		if p.peek() != and {
			return p.join(start, And, clauses)
		}
		if err := p.infix(); err != nil {
			return nil, err
		}
	}
}

// infix passes AND or OR, behind which something must follow.
func (p *parser) infix() error {
	start := p.begin()
	name := p.pass()
	if next := p.peek(); next == end || next == closing {
		return p.wrong(start, "something is missing after %s: add a word there, or remove it", name)
	}
	return nil
}

// clause is a word or something in parentheses, or what must not be.
func (p *parser) clause(field string) (*Node, error) {
	start := p.begin()
	switch p.peek() {
	case opening:
		return p.parentheses(field)
	case not:
		return p.negation(field)
	case and, or:
		name := p.pass()
		return nil, p.wrong(start, "something is missing before %s: add a word there, or remove it", name)
	case end, closing:
		return nil, p.wrong(start, "a word is missing here")
	}
	return p.leaf(field)
}

// deeper is called where a parenthesis or a NOT begins, and what it returns where it ends.
func (p *parser) deeper(start int) (func(), error) {
	if p.nested++; p.nested > Deepest {
		return nil, p.wrong(start, "more than %d parentheses and NOTs are around this: write it flatter", Deepest)
	}
	return func() { p.nested-- }, nil
}

func (p *parser) parentheses(field string) (*Node, error) {
	start := p.begin()
	up, err := p.deeper(start)
	if err != nil {
		return nil, err
	}
	defer up()
	p.pass()
	if p.peek() == closing {
		return nil, p.wrong(start, "there is nothing in these parentheses: write a word into them, or remove them")
	}
	group, err := p.alternatives(field)
	if err != nil {
		return nil, err
	}
	if p.peek() != closing {
		return nil, p.wrong(start, "this parenthesis is not closed: add “)”, or put it into quotes")
	}
	p.pass()
	return group, nil
}

func (p *parser) negation(field string) (*Node, error) {
	start := p.begin()
	up, err := p.deeper(start)
	if err != nil {
		return nil, err
	}
	defer up()
	name := p.pass()
	if next := p.peek(); next == end || next == closing {
		return nil, p.wrong(start, "something is missing after %s: add a word that must not be there", name)
	}
	child, err := p.clause(field)
	if err != nil || child == nil {
		return nil, err
	}
	return p.join(start, Not, []*Node{child})
}

// join makes a node of nodes, without those that were left out. An And in an And and an Or in an Or are dissolved, and so is one with a
// single child; the order of what scores stays.
func (p *parser) join(start int, kind Kind, nodes []*Node) (*Node, error) {
	var children []*Node
	for _, n := range nodes {
		switch {
		case n == nil:
		case n.Kind == kind && kind != Not:
			children = append(children, n.Nodes...)
		default:
			children = append(children, n)
		}
	}
	switch {
	case len(children) == 0:
		return nil, nil
	case len(children) == 1 && kind != Not:
		return children[0], nil
	}
	joined := &Node{Kind: kind, Nodes: children}
	if joined.depth() > Deepest {
		return nil, p.wrong(start, "more than %d AND, OR and NOT are in each other here: write it flatter", Deepest)
	}
	return joined, nil
}

// depth is how many nodes are above each other, the node itself among them.
func (n *Node) depth() int {
	most := 0
	for _, child := range n.Nodes {
		most = max(most, child.depth())
	}
	return most + 1
}
