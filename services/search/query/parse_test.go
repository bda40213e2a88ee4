package query_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/services/search/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// words is n different words.
func words(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = "x" + string(rune('a'+i/26)) + string(rune('a'+i%26))
	}
	return strings.Join(all, " ")
}

func TestAMistakeIsNamedWhereItIs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text   string
		column int
		want   string
	}{
		{"", 1, "the query is empty: write a word, or * for all documents"},
		{" \t ", 1, "the query is empty"},
		{"... –", 1, "there is no word in the query: a word has a letter, a digit or an emoji"},
		{"the of", 1, "only words that are too common: add one that is rarer"},
		{`"to be or not to be" -the`, 1, "only words that are too common"},
		{"dog \xff", 5, "the query is not UTF-8 here"},
		{"é\xff", 2, "the query is not UTF-8 here"},
		{strings.Repeat("x ", 513), 1025, "the query is too long: 1026 bytes, of at most 1024"},
		{strings.Repeat("\x9c", 1025), 1, "the query is not UTF-8 here"},
		{strings.Repeat("x", 1023) + "é", 1024, "the query is too long: 1025 bytes, of at most 1024"},
		{"x" + strings.Repeat(" é", 400), 684, "the query is too long: 1201 bytes, of at most 1024"},
		{strings.Repeat("a:b ", 250), 1, "the query is too long: written out it takes 1995 bytes, of at most 1024"},

		{`"hot dog`, 1, "this quotation mark has no partner"},
		{`dog "`, 5, "this quotation mark has no partner"},
		{`"a\"`, 1, "this quotation mark has no partner"},
		{`pos:"noun`, 5, "this quotation mark has no partner"},
		{`title:"hot`, 7, "this quotation mark has no partner"},
		{`"hot dog"~2`, 10, "“~” does not follow a phrase"},
		{`"hot dog"*`, 10, "“*” does not follow a phrase"},

		{"(dog", 1, "this parenthesis is not closed: add “)”"},
		{"é (dog (cat)", 3, "this parenthesis is not closed"},
		{"title:(dog", 7, "this parenthesis is not closed"},
		{"dog)", 4, "no parenthesis is open that this one could close"},
		{")", 1, "no parenthesis is open"},
		{"dog ()", 5, "there is nothing in these parentheses"},
		{"title:()", 7, "there is nothing in these parentheses"},

		{"dog AND", 5, "something is missing after AND"},
		{"(dog OR ) cat", 6, "something is missing after OR"},
		{"AND dog", 1, "something is missing before AND"},
		{"OR dog", 1, "something is missing before OR"},
		{"dog OR OR cat", 8, "something is missing before OR"},
		{"dog AND OR cat", 9, "something is missing before OR"},
		{"dog AND NOT", 9, "something is missing after NOT: add a word that must not be there"},
		{"NOT", 1, "something is missing after NOT"},
		{"NOT AND dog", 5, "something is missing before AND"},
		{"-AND", 2, "something is missing before AND"},
		{"(-)", 1, "there is no word"},

		{"hous* h*", 7, "“h” is too short for a *: at least 2 letters"},
		{"é*", 1, "“é” is too short for a *"},
		{".*", 1, "a word is missing before the *: write at least 2 letters"},
		{"ho*se", 3, "a * stands at the end of a word"},
		{"*use", 1, "a * stands at the end of a word"},
		{"**", 1, "a * stands at the end of a word"},
		{"e-mai*", 1, "a * follows a single word, and “e-mai” is 2"},
		{"it~", 1, "“it” is too short for a ~: at least 3 letters"},
		{"~", 1, "a word is missing before the ~"},
		{"cats~0", 5, "after a ~ stands nothing, 1 or 2"},
		{"cats~3", 5, "after a ~ stands nothing, 1 or 2"},
		{"éats~0.5", 5, "after a ~ stands nothing, 1 or 2"},
		{"cats~*", 5, "after a ~ stands nothing, 1 or 2"},
		{"e-mail~", 1, "a ~ follows a single word"},

		{":dog", 1, "a name is missing before the colon"},
		{"dog title:", 5, `a word is missing after “title:”: write title:word, title:"a phrase" or title:(words)`},
		{"title: dog", 1, "a word is missing after “title:”"},
		{"(text:)", 2, "a word is missing after “text:”"},
		{"title:*", 7, "* by itself is all documents, and has no field"},
		{"title:-dog", 7, "the - stands before the field: write -title:dog"},
		{"title:text:dog", 11, "a word has no colon"},
		{"pos:", 1, "a value is missing after “pos:”"},
		{"pos:(noun)", 5, "a label has one value: write (pos:a OR pos:b)"},
		{"pos:nou*", 8, "labels are only found whole"},
		{"pos:noun~", 9, "labels are only found whole"},
		{"Pos:noun", 1, "“Pos” is not the name of a field or a label"},
		{"a-b:c", 1, "“a-b” is not the name of a field or a label"},
		{strings.Repeat("n", 33) + ":x", 1, "is not the name of a field or a label"},
		{"\x01" + strings.Repeat("é", 50) + ":x", 1, "“…” is not the name of a field or a label"},
		{strings.Repeat("é", 50) + ":x", 1, "“" + strings.Repeat("é", 40) + "…” is not the name"},
		{"pos:" + strings.Repeat("x", 65), 5, "the value of a label has at most 64 bytes, this one 65"},

		{"dog && cat", 5, "“&&” is written AND"},
		{"dog || cat", 5, "“||” is written OR"},
		{"dog !cat", 5, "“!” before a word is written - or NOT"},
		{"+dog", 1, "“+” before a word is not known"},
		{"title:+dog", 7, "“+” before a word is not known"},
		{"dog^2", 4, "weights are not known"},
		{"[a TO b]", 1, "ranges are not known: put “[” into quotes"},
		{"title:{a", 7, "ranges are not known: put “{” into quotes"},

		{words(33), 129, "more than 32 words and phrases: leave some out"},
		{strings.Repeat("(", 17) + "a", 17, "more than 16 parentheses and NOTs are around this"},
		{strings.Repeat("NOT ", 17) + "a", 65, "more than 16 parentheses and NOTs are around this"},
		{strings.Repeat("-", 17) + "a", 17, "more than 16 parentheses and NOTs are around this"},
		{strings.Repeat("x AND (y OR (", 8) + "z" + strings.Repeat("))", 8), 1, "more than 16 AND, OR and NOT are in each other here"},
		{strings.Repeat("x", 300), 1, "a word has less than 255 bytes"},
		{`"dog ` + strings.Repeat("x", 255) + `"`, 1, "a word has less than 255 bytes"},
		{strings.Repeat("Ⱥ", 100), 1, "a word has less than 255 bytes"}, // grows when it is lower-cased
	} {
		for _, operator := range []query.Kind{"", query.And} {
			n, err := query.Parse(test.text, query.Options{Operator: operator})
			var wrong *query.Error
			if !errors.As(err, &wrong) || n != nil || wrong.Column != test.column || !strings.Contains(wrong.Message, test.want) {
				t.Errorf("%.60q: %v, %v\nwant column %d: %s", test.text, n, err, test.column, test.want)
			}
		}
	}
}

// term and those below make nodes; the stemmer leaves their words as they are.
func term(word string) *query.Node { return in("", word) }

func in(field, word string) *query.Node {
	return &query.Node{Kind: query.Term, Field: field, Words: []string{word}, Written: []string{word}}
}

func phrase(stems, written string) *query.Node {
	return &query.Node{Kind: query.Phrase, Words: strings.Split(stems, " "), Written: strings.Split(written, " ")}
}

func label(name, value string) *query.Node {
	return &query.Node{Kind: query.Label, Field: name, Words: []string{value}}
}

func prefix(word string) *query.Node { return &query.Node{Kind: query.Prefix, Words: []string{word}} }

func fuzzy(word string, edits int) *query.Node {
	return &query.Node{Kind: query.Fuzzy, Words: []string{word}, Edits: edits}
}

func and(nodes ...*query.Node) *query.Node { return &query.Node{Kind: query.And, Nodes: nodes} }
func or(nodes ...*query.Node) *query.Node  { return &query.Node{Kind: query.Or, Nodes: nodes} }
func not(node *query.Node) *query.Node {
	return &query.Node{Kind: query.Not, Nodes: []*query.Node{node}}
}

func all() *query.Node { return &query.Node{Kind: query.All} }

func TestAQueryIsParsed(t *testing.T) {
	t.Parallel()
	dog, cat, fox, bird := term("dog"), term("cat"), term("fox"), term("bird")
	either, both := []query.Kind{query.Or}, []query.Kind{query.And}
	every := []query.Kind{query.Or, query.And}
	agreed := &query.Node{Kind: query.Term, Words: []string{"agre"}, Written: []string{"agreed"}}
	for _, test := range []struct {
		text      string
		operators []query.Kind
		want      *query.Node
		canonical string
	}{
		{"dog", every, dog, "dog"},
		{" DOG's ", every, dog, "dog"},
		{"agreed", every, agreed, "agreed"}, // its stem would be stemmed again, to agr
		{"the dog", every, dog, "dog"},
		{`"dog"`, every, dog, "dog"},
		{`"the dog of"`, every, dog, "dog"},
		{"dog - cat & ...", either, or(dog, cat), "dog OR cat"},

		{"dog cat", either, or(dog, cat), "dog OR cat"},
		{"dog cat", both, and(dog, cat), "dog AND cat"},
		{"dog AND cat OR fox", every, or(and(dog, cat), fox), "(dog AND cat) OR fox"},
		{"dog OR cat AND fox", every, or(dog, and(cat, fox)), "dog OR (cat AND fox)"},
		{"dog cat AND fox", either, or(dog, and(cat, fox)), "dog OR (cat AND fox)"},
		{"dog OR cat fox", both, or(dog, and(cat, fox)), "dog OR (cat AND fox)"},
		{"(dog OR cat) AND (fox bird)", either, and(or(dog, cat), or(fox, bird)), "(dog OR cat) AND (fox OR bird)"},
		{"(dog OR (cat OR (fox))) bird", either, or(dog, cat, fox, bird), "dog OR cat OR fox OR bird"},
		{"dog AND (cat AND fox)", every, and(dog, cat, fox), "dog AND cat AND fox"},
		{"dog(cat)fox", either, or(dog, cat, fox), "dog OR cat OR fox"},
		{"((((((((((((((((dog))))))))))))))))", every, dog, "dog"},
		{"dog AND the", every, dog, "dog"},
		{"(the) OR dog OR NOT of", every, dog, "dog"},
		{"and or not dog", every, dog, "dog"},

		{"NOT cat", every, not(cat), "NOT cat"},
		{"-cat", every, not(cat), "NOT cat"},
		{"--cat", every, not(not(cat)), "NOT NOT cat"},
		{"-(dog OR cat)", every, not(or(dog, cat)), "NOT (dog OR cat)"},
		{"NOT dog AND cat", every, and(not(dog), cat), "NOT dog AND cat"},
		{"dog OR NOT cat", every, or(dog, not(cat)), "dog OR NOT cat"},
		{"-dog -cat", every, and(not(dog), not(cat)), "NOT dog AND NOT cat"},
		// What has no words is a condition for the words beside it.
		{"dog cat -fox", either, and(or(dog, cat), not(fox)), "(dog OR cat) AND NOT fox"},
		{"-fox dog NOT bird cat", either, and(or(dog, cat), not(fox), not(bird)), "(dog OR cat) AND NOT fox AND NOT bird"},
		{"dog -fox cat", both, and(dog, cat, not(fox)), "dog AND cat AND NOT fox"},
		{"dog pos:noun cat", either, and(or(dog, cat), label("pos", "noun")), "(dog OR cat) AND pos:noun"},
		{"dog (pos:noun OR pos:verb)", either, and(dog, or(label("pos", "noun"), label("pos", "verb"))), "dog AND (pos:noun OR pos:verb)"},
		{"dog OR pos:noun", every, or(dog, label("pos", "noun")), "dog OR pos:noun"},
		{"dog *", either, and(dog, all()), "dog AND *"},
		{"dog OR cat -fox", either, or(dog, and(cat, not(fox))), "dog OR (cat AND NOT fox)"},

		{`"hot dog"`, every, phrase("hot dog", "hot dog"), `"hot dog"`},
		{`"The state of the Arts."`, every, phrase("state   art", "state of the arts"), `"state of the arts"`},
		{"state-of-the-art", every, phrase("state   art", "state of the art"), `"state of the art"`},
		{"e-mail", every, phrase("e mail", "e mail"), `"e mail"`},
		{"東京", every, phrase("東 京", "東 京"), `"東 京"`},
		{`dog"hot fox"`, either, or(dog, phrase("hot fox", "hot fox")), `dog OR "hot fox"`},
		{`"AND" -"OR" dog`, every, dog, "dog"},
		{"👍", every, term("👍"), "👍"},
		{"don’t", every, term("don’t"), "don’t"},

		{"hous*", every, prefix("hous"), "hous*"},
		{"TH* the*", either, or(prefix("th"), prefix("the")), "th* OR the*"}, // common words may begin others
		{"1;2*", every, prefix("1;2"), "1;2*"},
		{"running*", every, prefix("running"), "running*"},
		{"recieve~", every, fuzzy("recieve", 2), "recieve~2"},
		{"cat~ cats~2 dogged~1", either, or(fuzzy("cat", 1), fuzzy("cats", 2), fuzzy("dogged", 1)), "cat~1 OR cats~2 OR dogged~1"},
		{"éééééé~", every, fuzzy("éééééé", 2), "éééééé~2"},
		{"the~", every, fuzzy("the", 1), "the~1"},

		{"title:dog", every, in("title", "dog"), "title:dog"},
		{"-title:dog", every, not(in("title", "dog")), "NOT title:dog"},
		{`title:"dog"`, every, in("title", "dog"), "title:dog"},
		{"title:(dog cat) fox", either, or(in("title", "dog"), in("title", "cat"), fox), "title:dog OR title:cat OR fox"},
		{"title:(dog OR text:cat) pos:noun", every, and(or(in("title", "dog"), in("text", "cat")), label("pos", "noun")),
			"(title:dog OR text:cat) AND pos:noun"},
		{"title:AND title:dog", every, in("title", "dog"), "title:dog"},

		{"pos:noun", every, label("pos", "noun"), "pos:noun"},
		{"file:noun.animal", every, label("file", "noun.animal"), "file:noun.animal"},
		{`file:"noun animal"`, every, label("file", "noun animal"), `file:"noun animal"`},
		{`x_1:"a \"b\" \\ \c"`, every, label("x_1", `a "b" \ \c`), `x_1:"a \"b\" \\ \\c"`},
		{`x:""`, every, label("x", ""), `x:""`},
		{"url:http://x/", every, label("url", "http://x/"), `url:"http://x/"`},
		{"pos:AND", every, label("pos", "AND"), `pos:"AND"`},
		{"pos:-1", every, label("pos", "-1"), `pos:"-1"`},
		{"*", every, all(), "*"},
		{"title:(*)", every, all(), "*"},
	} {
		for _, operator := range test.operators {
			got, err := query.Parse(test.text, query.Options{Operator: operator})
			if err != nil || !reflect.DeepEqual(got, test.want) || got.String() != test.canonical {
				t.Errorf("%s (%s): %v\n got %s %s\nwant %s %s", test.text, operator, err, got, asJSON(got), test.canonical, asJSON(test.want))
			}
		}
	}
}

func asJSON(n *query.Node) string {
	b, err := json.Marshal(n)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestColumnsAreThoseOfTheWordsInTheOrderOfTheTree(t *testing.T) {
	for text, want := range map[string][]int{
		"dog":       {1},
		"  dog cat": {3, 7},
		"-cat dog":  {6, 2}, // what must not be comes last
		`é "hot dog" pos:noun title:(ab* OR recieve~) the NOT (bird*)`: {1, 3, 29, 36, 55},
	} {
		_, columns, err := query.ParseColumns(text, query.Options{})
		if err != nil || !slices.Equal(columns, want) {
			t.Errorf("%s: columns %v %v, want %v", text, columns, err, want)
		}
	}
}

func TestAQueryMayReachItsBounds(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		words(32), strings.Repeat("NOT ", 15) + "dog", strings.Repeat(" ", 1021) + "dog", strings.Repeat("é", 127),
		"x:" + strings.Repeat("v", 64), strings.Repeat("n", 32) + ":v", `"` + strings.Repeat("a ", 500) + `dog"`,
		"the " + strings.Repeat("(the) ", 100) + "dog",
	} {
		n, err := query.Parse(text, query.Options{})
		if err != nil {
			t.Errorf("%.40s…: %v", text, err)
			continue
		}
		if err := query.Check(n); err != nil {
			t.Errorf("%.40s…: %v", text, err)
		}
	}
}

// holds checks what every query keeps, whatever was written.
func holds(t interface{ Fatalf(string, ...any) }, text string, operator query.Kind) {
	n, err := query.Parse(text, query.Options{Operator: operator})
	if err != nil {
		var wrong *query.Error
		if !errors.As(err, &wrong) || wrong.Column < 1 || wrong.Column > utf8.RuneCountInString(text)+1 || wrong.Message == "" ||
			!utf8.ValidString(wrong.Message) {
			t.Fatalf("%q: %#v", text, err)
		}
		return
	}
	if err := query.Check(n); err != nil {
		t.Fatalf("%q was parsed, but: %v", text, err)
	}
	canonical := n.String()
	for _, other := range []query.Kind{query.Or, query.And} {
		again, err := query.Parse(canonical, query.Options{Operator: other})
		if err != nil || !reflect.DeepEqual(again, n) || again.String() != canonical {
			t.Fatalf("%q is written %q, which is parsed as %s (%v), not %s", text, canonical, asJSON(again), err, asJSON(n))
		}
	}
	var sent query.Node
	if err := json.Unmarshal([]byte(asJSON(n)), &sent); err != nil || !reflect.DeepEqual(&sent, n) {
		t.Fatalf("%q arrives as %s: %v", text, asJSON(&sent), err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"dog cat -fox", `"state of the art" OR e-mail`, "title:(dog OR text:cat) pos:noun", `x:"a \"b\" \\"`, "hous* recieve~1 *", "((a", "東京 👍🏽 e\u0301",
		"NOT NOT -a AND b OR", "a^2 +b !c [d", "\xff", "U.S. don’t snake_case 3.14",
	} {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, both bool) {
		operator := query.Or
		if both {
			operator = query.And
		}
		holds(t, text, operator)
	})
}

func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{
		"word": "dog", "usual": `hot dogs "state of the art" -cat pos:noun`, "longest": words(32),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := query.Parse(text, query.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
