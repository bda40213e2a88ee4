package relevance_test

import (
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/loadtest/relevance"
)

func TestAnyTextBecomesAQueryOfItsWords(t *testing.T) {
	for text, want := range map[string]string{
		"What is a fish?":                  "what is a fish",
		`say "hot dog" -cat title:x (a*)~`: "say hot dog cat title x a",
		"salt AND pepper OR NOT":           `salt "and" pepper "or" "not"`,
		"the boys' dog's don't":            `the boys "dog's" "don't"`,
		"fish fish":                        "fish fish",
		"self-made 3.5 naïve 東京":           `self made "3.5" naïve 東京`,
		"End.\nBegin, 1,000 e.g. a_b .5":   `end begin "1,000" "e.g" "a_b" 5`,
		"?!":                               "",
		"\xff\x00":                         "",
	} {
		if got, cut := relevance.Words(text); got != want || cut {
			t.Errorf("%q: %q, %v, want %q", text, got, cut, want)
		}
	}
}

func TestALongTextIsCutAtWords(t *testing.T) {
	repeated, cut := relevance.Words(strings.Repeat("one two ", 17))
	if repeated != "one two" || !cut {
		t.Errorf("%q, %v: words that are there twice go first", repeated, cut)
	}
	var many []string
	for i := range 40 {
		many = append(many, string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	if got, cut := relevance.Words(strings.Join(many, " ")); got != strings.Join(many[:32], " ") || !cut {
		t.Errorf("%q, %v", got, cut)
	}
	if got, cut := relevance.Words(strings.Repeat("x", 600) + " " + strings.Repeat("y", 600)); len(got) != 600 || !cut {
		t.Errorf("%d bytes, %v", len(got), cut)
	}
}
