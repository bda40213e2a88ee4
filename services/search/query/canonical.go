package query

import (
	"strconv"
	"strings"
	"unicode"
)

// String is the canonical text of a query: what was parsed is parsed from it again, whatever the options. Of a tree that was not parsed, a
// stem without its written form is written as it is.
func (n *Node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *Node) write(b *strings.Builder) {
	switch n.Kind {
	case And, Or:
		for i, child := range n.Nodes {
			if i > 0 {
				b.WriteString(" " + strings.ToUpper(string(n.Kind)) + " ")
			}
			child.writeChild(b)
		}
	case Not:
		b.WriteString("NOT ")
		for _, child := range n.Nodes {
			child.writeChild(b)
		}
	case All:
		b.WriteByte('*')
	default:
		n.writeLeaf(b)
	}
}

func (n *Node) writeChild(b *strings.Builder) {
	if n.Kind != And && n.Kind != Or {
		n.write(b)
		return
	}
	b.WriteByte('(')
	n.write(b)
	b.WriteByte(')')
}

func (n *Node) writeLeaf(b *strings.Builder) {
	if n.Field != AnyField {
		b.WriteString(n.Field + ":")
	}
	written := strings.Join(n.written(), " ")
	if !bare(written) {
		written = `"` + escape.Replace(written) + `"`
	}
	b.WriteString(written)
	switch n.Kind {
	case Prefix:
		b.WriteByte('*')
	case Fuzzy:
		b.WriteString("~" + strconv.Itoa(n.Edits))
	}
}

var escape = strings.NewReplacer(`"`, `\"`, `\`, `\\`)

// written are the words as they were asked for.
func (n *Node) written() []string {
	if len(n.Written) > 0 || n.Kind != Phrase {
		if len(n.Written) == 0 {
			return n.Words
		}
		return n.Written
	}
	words := make([]string, len(n.Words))
	for i, stem := range n.Words {
		words[i] = stem
		if stem == "" {
			words[i] = "the" // any word that is too common
		}
	}
	return words
}

// bare tells whether a word can stand without quotation marks: nothing in it has a meaning in the language.
func bare(word string) bool {
	switch {
	case word == "" || word == "AND" || word == "OR" || word == "NOT":
		return false
	case strings.ContainsRune("-+![{", rune(word[0])):
		return false
	}
	return !strings.ContainsAny(word, `:"()*~^`) && !strings.ContainsFunc(word, unicode.IsSpace)
}
