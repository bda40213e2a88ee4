package query

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flotilla-dev/flotilla/services/search/text"
)

// leaf reads a word or a phrase, with its field where there is one, or a label.
func (p *parser) leaf(field string) (*Node, error) {
	start := p.begin()
	if p.letters[start] == '"' {
		return p.phrase(field)
	}
	run := p.run()
	name, value, named := strings.Cut(run, ":")
	if !named {
		p.at = p.runEnd()
		if run == "*" {
			return &Node{Kind: All}, nil
		}
		return p.word(field, run, start)
	}
	p.at += utf8.RuneCountInString(name) + 1
	switch {
	case name == "":
		return nil, p.wrong(start, "a name is missing before the colon: write title:…, text:… or a label's name, or put this into quotes")
	case name == TitleField || name == TextField:
		return p.inField(name, value, start)
	case !isName(name):
		return nil, p.wrong(start, "“%s” is not the name of a field or a label: these have 1 to 32 of a-z, 0-9 and _; or put this into quotes", short(name))
	}
	return p.label(name, value, start)
}

// inField reads what follows the name of a field and its colon.
func (p *parser) inField(field, value string, start int) (*Node, error) {
	at := p.at
	switch {
	case value != "":
		p.at = p.runEnd()
	case at < len(p.letters) && p.letters[at] == '"':
		return p.phrase(field)
	case at < len(p.letters) && p.letters[at] == '(':
		return p.parentheses(field)
	default:
		return nil, p.wrong(start, `a word is missing after “%s:”: write %s:word, %s:"a phrase" or %s:(words)`, field, field, field, field)
	}
	switch {
	case value == "*":
		return nil, p.wrong(at, "* by itself is all documents, and has no field: write * alone, or %s:ab* for words that begin so", field)
	case value[0] == '-':
		return nil, p.wrong(at, "the - stands before the field: write -%s:%s", field, short(value[1:]))
	}
	if before, _, more := strings.Cut(value, ":"); more {
		return nil, p.wrong(at+utf8.RuneCountInString(before), `a word has no colon: write %s:"%s"`, field, short(value))
	}
	return p.word(field, value, at)
}

// label reads the value of a label, which is taken as it is.
func (p *parser) label(name, value string, start int) (*Node, error) {
	at := p.at
	switch {
	case value != "":
		p.at = p.runEnd()
		if i := strings.IndexAny(value, "*~"); i >= 0 {
			return nil, p.wrong(at+utf8.RuneCountInString(value[:i]), `labels are only found whole: write the whole value; if this is part of it, write %s:"%s"`, name, short(value))
		}
	case at < len(p.letters) && p.letters[at] == '"':
		content, err := p.quoted()
		if err != nil {
			return nil, err
		}
		value = content
	case at < len(p.letters) && p.letters[at] == '(':
		return nil, p.wrong(at, "a label has one value: write (%s:a OR %s:b)", name, name)
	default:
		return nil, p.wrong(start, `a value is missing after “%s:”: write %s:value, or put this into quotes`, name, name)
	}
	if len(value) > longestValue {
		return nil, p.wrong(at, "the value of a label has at most %d bytes, this one %d", longestValue, len(value))
	}
	return &Node{Kind: Label, Field: name, Words: []string{value}}, nil
}

// phrase reads words in quotation marks.
func (p *parser) phrase(field string) (*Node, error) {
	start := p.at
	content, err := p.quoted()
	if err != nil {
		return nil, err
	}
	if p.at < len(p.letters) && strings.ContainsRune("*~^", p.letters[p.at]) {
		return nil, p.wrong(p.at, "“%c” does not follow a phrase: its words are found as they stand; write it after a single word without quotes", p.letters[p.at])
	}
	return p.words(field, content, start)
}

// word reads one without quotation marks.
func (p *parser) word(field, run string, start int) (*Node, error) {
	if err := p.familiar(run, start); err != nil {
		return nil, err
	}
	i := strings.IndexAny(run, "*~")
	switch {
	case i < 0:
		return p.words(field, run, start)
	case run[i] == '*' && i == len(run)-1:
		return p.prefix(field, run[:i], start)
	case run[i] == '*':
		return nil, p.wrong(start+utf8.RuneCountInString(run[:i]), "a * stands at the end of a word, as in hous*; or put this into quotes")
	}
	return p.fuzzy(field, run[:i], run[i+1:], start)
}

// familiar refuses what other languages have and this one has not, instead of searching for something else than was meant.
func (p *parser) familiar(run string, start int) error {
	switch {
	case run == "&&":
		return p.wrong(start, "“&&” is written AND")
	case run == "||":
		return p.wrong(start, "“||” is written OR")
	case len(run) > 1 && run[0] == '!':
		return p.wrong(start, "“!” before a word is written - or NOT")
	case len(run) > 1 && run[0] == '+':
		return p.wrong(start, "“+” before a word is not known: write AND between words that must all be there")
	case run[0] == '[' || run[0] == '{':
		return p.wrong(start, "ranges are not known: put “%c” into quotes if you look for words", run[0])
	}
	if i := strings.IndexByte(run, '^'); i >= 0 {
		return p.wrong(start+utf8.RuneCountInString(run[:i]), "weights are not known: remove the ^ and what follows it, or put the word into quotes")
	}
	return nil
}

// words makes a node of what analysis finds in a text: of one word a Term, of more a Phrase, of none nothing.
func (p *parser) words(field, content string, start int) (*Node, error) {
	all, err := p.analysed(content, start)
	if err != nil {
		return nil, err
	}
	first, last := len(all), 0
	for i, word := range all {
		if word.Stem != "" {
			first, last = min(first, i), i+1
		}
	}
	if first == len(all) {
		p.common = p.common || len(all) > 0
		return nil, nil
	}
	n := &Node{Kind: Phrase, Field: field}
	for _, word := range all[first:last] {
		n.Words, n.Written = append(n.Words, word.Stem), append(n.Written, word.Surface)
	}
	if len(n.Words) == 1 {
		n.Kind = Term
	}
	return p.scores(n, start)
}

// analysed are the words of a text, none of them too long.
func (p *parser) analysed(content string, start int) ([]text.Token, error) {
	all := text.Words(content)
	for _, word := range all {
		if len(word.Surface) > longestWord || word.End-word.Start >= longestWord {
			return nil, p.wrong(start, "a word has less than %d bytes", longestWord)
		}
	}
	return all, nil
}

// surface is the one word before a * or a ~, as it is written.
func (p *parser) surface(before, mark string, least, start int) (string, error) {
	all, err := p.analysed(before, start)
	switch {
	case err != nil:
		return "", err
	case len(all) == 0:
		return "", p.wrong(start, "a word is missing before the %s: write at least %d letters", mark, least)
	case len(all) > 1:
		return "", p.wrong(start, "a %s follows a single word, and “%s” is %d: write it after the last of them, with a space before", mark, short(before), len(all))
	}
	if letters := utf8.RuneCountInString(all[0].Surface); letters < least {
		return "", p.wrong(start, "“%s” is too short for a %s: at least %d letters", all[0].Surface, mark, least)
	}
	return all[0].Surface, nil
}

func (p *parser) prefix(field, before string, start int) (*Node, error) {
	surface, err := p.surface(before, "*", leastPrefix, start)
	if err != nil {
		return nil, err
	}
	return p.scores(&Node{Kind: Prefix, Field: field, Words: []string{surface}}, start)
}

func (p *parser) fuzzy(field, before, edits string, start int) (*Node, error) {
	surface, err := p.surface(before, "~", leastFuzzy, start)
	if err != nil {
		return nil, err
	}
	n := &Node{Kind: Fuzzy, Field: field, Words: []string{surface}, Edits: 1}
	switch {
	case edits == "" && utf8.RuneCountInString(surface) >= 6, edits == "2":
		n.Edits = 2
	case edits == "", edits == "1":
	default:
		at := start + utf8.RuneCountInString(before)
		return nil, p.wrong(at, "after a ~ stands nothing, 1 or 2: so many letters may differ; or put this into quotes")
	}
	return p.scores(n, start)
}

// scores counts a node that does.
func (p *parser) scores(n *Node, start int) (*Node, error) {
	if p.scoring++; p.scoring > MostScoring {
		return nil, p.wrong(start, "more than %d words and phrases: leave some out", MostScoring)
	}
	p.columns[n] = start + 1
	return n, nil
}

// isName tells whether a label may be called so.
func isName(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return name != "" && len(name) <= 32
}

// short is as much of what was written as a message repeats.
func short(written string) string {
	const most = 40
	count := 0
	for i, r := range written {
		if !unicode.IsPrint(r) {
			return written[:i] + "…"
		}
		if count++; count > most {
			return written[:i] + "…"
		}
	}
	return written
}
