package query_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/services/search/query"
)

// anyQuery is what people write: the parts of the language, well put together or not.
func anyQuery() *rapid.Generator[string] {
	parts := rapid.SampledFrom([]string{
		"dog", "cats", "agreed", "generalizations", "the", "of", "e-mail", "state-of-the-art", "hous*", "recieve~", "cats~2", "*", "~", "AND", "OR", "NOT", "-",
		"(", ")", "(", ")", `"`, `"hot the dogs"`, "title:", "text:(", "pos:noun", `file:"a \"b\""`, `\`, ":", "x:", "東京", "👍", "e\u0301", "don't", "3.5", "^2", "+", "!",
		"a_b", "é", " ", " ", " ", " ",
	})
	return rapid.OneOf(
		rapid.Map(rapid.SliceOfN(parts, 0, 60), func(all []string) string { return strings.Join(all, "") }),
		rapid.Map(rapid.SliceOfN(parts, 0, 40), func(all []string) string { return strings.Join(all, " ") }),
		rapid.String(),
	)
}

func TestAnyTextIsParsedOrRefused(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		holds(t, anyQuery().Draw(t, "text"), rapid.SampledFrom([]query.Kind{query.Or, query.And}).Draw(t, "operator"))
	})
}

// written is a query that is right, and the words that score in it, in their order.
func written(depth int) *rapid.Generator[string] {
	leaf := rapid.SampledFrom([]string{"dog", "agreed", `"hot dogs"`, "title:cat", "text:hous*", "recieve~1", "pos:noun", "*", "the", "e-mail"})
	if depth == 0 {
		return leaf
	}
	inner := written(depth - 1)
	joined := rapid.Custom(func(t *rapid.T) string {
		between := rapid.SampledFrom([]string{" ", " AND ", " OR "}).Draw(t, "operator")
		return "(" + strings.Join(rapid.SliceOfN(inner, 1, 3).Draw(t, "parts"), between) + ")"
	})
	return rapid.OneOf(leaf, joined, rapid.Map(inner, func(s string) string { return "NOT " + s }), rapid.Map(inner, func(s string) string { return "title:(" + s + ")" }))
}

func TestWhatIsRightIsParsed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := written(3).Draw(t, "text")
		n, err := query.Parse(text, query.Options{})
		switch {
		case err != nil && !strings.Contains(err.Error(), "too common") && !strings.Contains(err.Error(), "too long"):
			t.Fatalf("%s: %v", text, err)
		case err == nil && len(n.Scoring()) > strings.Count(text, " ")+1:
			t.Fatalf("%s: %d nodes score", text, len(n.Scoring()))
		}
		holds(t, text, query.And)
	})
}

// The order in which leaves score decides the last bit of a sum: taking a tree apart must not change it.
func TestFlatteningKeepsTheOrderOfWhatScores(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a1 OR (b1 OR (c1 AND d1) OR e1) OR f1", "(a1 AND (b1 AND c1)) AND (d1 AND e1) AND f1", "(((a1) b1) c1) (d1 (e1 f1))", "NOT (a1 OR (b1 OR c1)) AND d1 AND (e1 AND f1)",
	} {
		n, err := query.Parse(text, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, leaf := range n.Scoring() {
			order = append(order, leaf.Words...)
		}
		if got := strings.Join(order, " "); got != "a1 b1 c1 d1 e1 f1" {
			t.Errorf("%s scores in the order %s", text, got)
		}
	}
}

func TestATreeFromElsewhereIsChecked(t *testing.T) {
	t.Parallel()
	many := make([]*query.Node, 33)
	nodes := make([]*query.Node, 1024)
	for i := range many {
		many[i] = term("dog")
	}
	for i := range nodes {
		nodes[i] = all()
	}
	deep := term("dog")
	for range 16 {
		deep = not(deep)
	}
	long := strings.Repeat("x", 256)
	for name, test := range map[string]struct {
		n    *query.Node
		want string
	}{
		"none":                 {nil, "query: a node is missing"},
		"a hole":               {and(term("dog"), nil), "query: a node is missing"},
		"no kind":              {&query.Node{}, "query:  node: the kind is not known"},
		"another kind":         {&query.Node{Kind: "near\x00"}, "query: near… node: the kind is not known"},
		"an empty and":         {and(), "query: and node: it has no nodes"},
		"an empty or":          {not(or()), "query: or node: it has no nodes"},
		"not of nothing":       {&query.Node{Kind: query.Not}, "query: not node: it has 0 nodes, not 1"},
		"not of two":           {&query.Node{Kind: query.Not, Nodes: []*query.Node{all(), all()}}, "query: not node: it has 2 nodes, not 1"},
		"a term with a child":  {&query.Node{Kind: query.Term, Words: []string{"dog"}, Nodes: []*query.Node{all()}}, "query: term node: it has nodes"},
		"too deep":             {deep, "query: more than 16 nodes are above each other"},
		"too many":             {or(many...), "query: more than 32 nodes score"},
		"too many in all":      {or(nodes...), "query: more than 1024 nodes"},
		"no word":              {&query.Node{Kind: query.Term}, "query: term node: it has 0 words, not 1"},
		"an empty word":        {term(""), `query: term node: "" is too short: at least 1 letters`},
		"two words":            {&query.Node{Kind: query.Fuzzy, Edits: 1, Words: []string{"dog", "cat"}}, "query: fuzzy node: it has 2 words, not 1"},
		"a long word":          {term(long), "query: term node: a word has 256 bytes, of at most 255"},
		"a long written word":  {&query.Node{Kind: query.Term, Words: []string{"dog"}, Written: []string{long}}, "query: term node: a word has 256 bytes, of at most 255"},
		"no UTF-8":             {term("\xff"), "query: term node: a word is not UTF-8"},
		"no phrase":            {&query.Node{Kind: query.Phrase}, "query: phrase node: a phrase begins and ends with a word"},
		"a phrase's hole":      {phrase(" dog", "the dog"), "query: phrase node: a phrase begins and ends with a word"},
		"a phrase's end":       {phrase("dog ", "dog the"), "query: phrase node: a phrase begins and ends with a word"},
		"an endless phrase":    {phrase(strings.Repeat("a ", 1024)+"a", "a"), "query: phrase node: more than 1024 words"},
		"other written words":  {phrase("hot dog", "hot"), "query: phrase node: the written words are not those of the node"},
		"a written prefix":     {&query.Node{Kind: query.Prefix, Words: []string{"do"}, Written: []string{"do"}}, "query: prefix node: the written words are not those of the node"},
		"a short prefix":       {prefix("é"), `query: prefix node: "é" is too short: at least 2 letters`},
		"a short fuzzy":        {fuzzy("it", 1), `query: fuzzy node: "it" is too short: at least 3 letters`},
		"no edits":             {fuzzy("dog", 0), "query: fuzzy node: 0 edits; a fuzzy has 1 or 2, others have none"},
		"many edits":           {fuzzy("dog", 3), "query: fuzzy node: 3 edits; a fuzzy has 1 or 2, others have none"},
		"edits of a term":      {&query.Node{Kind: query.Term, Words: []string{"dog"}, Edits: 1}, "query: term node: 1 edits; a fuzzy has 1 or 2, others have none"},
		"another field":        {in("author", "dog"), `query: term node: the field "author" is not known: title, text or none`},
		"a label's name":       {label("Pos", "noun"), `query: label node: "Pos" is not the name of a label`},
		"a label like a field": {label("title", "dog"), `query: label node: "title" is not the name of a label`},
		"a label's value":      {label("pos", strings.Repeat("x", 65)), "query: label node: a word has 65 bytes, of at most 64"},
		"a field of and":       {&query.Node{Kind: query.And, Field: "title", Nodes: []*query.Node{all()}}, "query: and node: it has a field"},
		"a word of all":        {&query.Node{Kind: query.All, Words: []string{"dog"}}, "query: all node: it has words"},
	} {
		if err := query.Check(test.n); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestATreeMadeByHandCanBeSearchedAndWritten(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]*query.Node{
		"dog":                           {Kind: query.Term, Words: []string{"dog"}},
		`title:"state the the art"`:     {Kind: query.Phrase, Field: "title", Words: []string{"state", "", "", "art"}},
		"(a1 OR b1) AND NOT (c1 AND *)": and(or(term("a1"), term("b1")), not(and(term("c1"), all()))),
	} {
		if err := query.Check(n); err != nil || n.String() != want {
			t.Errorf("%s, %v, want %s", n, err, want)
		}
	}
}

func TestOnlyWordsWithAndAndOrAreDistributed(t *testing.T) {
	t.Parallel()
	for text, part := range map[string]string{
		`dog "hot cat"`: `"hot cat"`, "dog AND NOT cat": "NOT cat", "hous*": "hous*", "dog recieve~": "recieve~2", "dog pos:noun": "pos:noun", "*": "*",
		"a1 AND (b1 OR -(c1 d1))": "NOT (c1 OR d1)",
	} {
		n, err := query.Parse(text, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("“%s” cannot be searched with words distributed over leaves: write words with AND and OR alone", part)
		if err := query.Distributable(n); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{"dog", "dog cat", "dog AND (cat OR title:fox)"} {
		n, err := query.Parse(text, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := query.Distributable(n); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
