package query

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// mostNodes is more than any text has: each takes two bytes, with what divides it from the next.
const mostNodes = Longest

// Check tells whether a tree that came from elsewhere keeps the bounds of the language.
func Check(n *Node) error {
	c := checker{}
	return c.check(n, 1)
}

type checker struct{ nodes, scoring, words int }

func (c *checker) check(n *Node, depth int) error {
	c.nodes++
	switch {
	case n == nil:
		return errors.New("query: a node is missing")
	case depth > Deepest:
		return fmt.Errorf("query: more than %d nodes are above each other", Deepest)
	case c.nodes > mostNodes:
		return fmt.Errorf("query: more than %d nodes", mostNodes)
	}
	if n.Scores() {
		c.scoring++
	}
	if c.scoring > MostScoring {
		return fmt.Errorf("query: more than %d nodes score", MostScoring)
	}
	if err := c.shape(n); err != nil {
		return fmt.Errorf("query: %s node: %w", kindOf(n), err)
	}
	for _, child := range n.Nodes {
		if err := c.check(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// kindOf is the kind as a message may show it.
func kindOf(n *Node) string { return short(string(n.Kind)) }

// shape checks what a node has by itself.
func (c *checker) shape(n *Node) error {
	switch n.Kind {
	case And, Or:
		if len(n.Nodes) == 0 {
			return errors.New("it has no nodes")
		}
	case Not:
		if len(n.Nodes) != 1 {
			return fmt.Errorf("it has %d nodes, not 1", len(n.Nodes))
		}
	case Term, Phrase, Prefix, Fuzzy, Label, All:
		if len(n.Nodes) > 0 {
			return errors.New("it has nodes")
		}
	default:
		return errors.New("the kind is not known")
	}
	if n.Kind == Fuzzy && (n.Edits < 1 || n.Edits > mostEdits) || n.Kind != Fuzzy && n.Edits != 0 {
		return fmt.Errorf("%d edits; a fuzzy has 1 or 2, others have none", n.Edits)
	}
	if err := field(n); err != nil {
		return err
	}
	return c.wordsOf(n)
}

func field(n *Node) error {
	switch {
	case n.Scores():
		if n.Field != AnyField && n.Field != TitleField && n.Field != TextField {
			return fmt.Errorf("the field %q is not known: title, text or none", short(n.Field))
		}
	case n.Kind == Label:
		if !isName(n.Field) || n.Field == TitleField || n.Field == TextField {
			return fmt.Errorf("%q is not the name of a label", short(n.Field))
		}
	case n.Field != "":
		return errors.New("it has a field")
	}
	return nil
}

func (c *checker) wordsOf(n *Node) error {
	if c.words += len(n.Words); c.words > Longest {
		return fmt.Errorf("more than %d words", Longest)
	}
	switch n.Kind {
	case Term, Prefix, Fuzzy, Label:
		if len(n.Words) != 1 {
			return fmt.Errorf("it has %d words, not 1", len(n.Words))
		}
	case Phrase:
		if len(n.Words) == 0 || n.Words[0] == "" || n.Words[len(n.Words)-1] == "" {
			return errors.New("a phrase begins and ends with a word")
		}
	default:
		if len(n.Words) > 0 {
			return errors.New("it has words")
		}
	}
	if len(n.Written) > 0 && (n.Kind != Term && n.Kind != Phrase || len(n.Written) != len(n.Words)) {
		return errors.New("the written words are not those of the node")
	}
	for _, words := range [][]string{n.Words, n.Written} {
		for _, word := range words {
			if err := wordOf(n, word); err != nil {
				return err
			}
		}
	}
	return nil
}

func wordOf(n *Node, word string) error {
	most, least := longestWord, 1
	switch n.Kind {
	case Label:
		most, least = longestValue, 0
	case Phrase:
		least = 0
	case Prefix:
		least = leastPrefix
	case Fuzzy:
		least = leastFuzzy
	}
	switch {
	case !utf8.ValidString(word):
		return errors.New("a word is not UTF-8")
	case len(word) > most:
		return fmt.Errorf("a word has %d bytes, of at most %d", len(word), most)
	case utf8.RuneCountInString(word) < least:
		return fmt.Errorf("%q is too short: at least %d letters", word, least)
	}
	return nil
}

// Distributable tells whether the words of a query can be looked up in different places that know nothing of each other: it may only have
// words with AND and OR. Its error may be shown to the one who wrote the query.
func Distributable(n *Node) error {
	switch n.Kind {
	case Term:
		return nil
	case And, Or:
		for _, child := range n.Nodes {
			if err := Distributable(child); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("“%s” cannot be searched with words distributed over leaves: write words with AND and OR alone", short(n.String()))
}
