package query

import (
	"fmt"
	"strings"
	"unicode"
)

// lexeme is what stands at a place.
type lexeme int

const (
	end lexeme = iota
	opening
	closing
	and
	or
	not
	other // what begins a word, a phrase or a field
)

// lexer reads the letters of a query. Places are offsets in letters, so that they are columns, too.
type lexer struct {
	letters []rune
	at      int
}

// wrong is an error at a place.
func (l *lexer) wrong(at int, format string, arguments ...any) error {
	return &Error{at + 1, fmt.Sprintf(format, arguments...)}
}

// begin is where the next lexeme begins.
func (l *lexer) begin() int {
	for l.at < len(l.letters) && unicode.IsSpace(l.letters[l.at]) {
		l.at++
	}
	return l.at
}

// peek tells what is next.
func (l *lexer) peek() lexeme {
	if l.begin() == len(l.letters) {
		return end
	}
	switch l.letters[l.at] {
	case '(':
		return opening
	case ')':
		return closing
	}
	switch run := l.run(); {
	case run == "AND":
		return and
	case run == "OR":
		return or
	case run == "NOT", l.minus():
		return not
	}
	return other
}

// minus tells whether there is a - before something; one by itself is a dash.
func (l *lexer) minus() bool {
	if l.letters[l.at] != '-' || l.at+1 == len(l.letters) {
		return false
	}
	next := l.letters[l.at+1]
	return next != ')' && !unicode.IsSpace(next)
}

// run is what stands without a space, a parenthesis or a quotation mark.
func (l *lexer) run() string { return string(l.letters[l.at:l.runEnd()]) }

func (l *lexer) runEnd() int {
	i := l.at
	for i < len(l.letters) && !unicode.IsSpace(l.letters[i]) && !strings.ContainsRune(`()"`, l.letters[i]) {
		i++
	}
	return i
}

// pass goes behind a parenthesis or an operator, and returns it.
func (l *lexer) pass() string {
	start := l.begin()
	switch c := l.letters[start]; c {
	case '(', ')', '-':
		l.at++
	default:
		l.at = l.runEnd()
	}
	return string(l.letters[start:l.at])
}

// quoted reads what stands in quotation marks; \" and \\ are a quotation mark and a backslash in it.
func (l *lexer) quoted() (string, error) {
	start := l.at
	var content strings.Builder
	for l.at++; l.at < len(l.letters); l.at++ {
		c := l.letters[l.at]
		if c == '"' {
			l.at++
			return content.String(), nil
		}
		if c == '\\' && l.at+1 < len(l.letters) && strings.ContainsRune(`"\`, l.letters[l.at+1]) {
			l.at++
			c = l.letters[l.at]
		}
		content.WriteRune(c)
	}
	return "", l.wrong(start, `this quotation mark has no partner: add a " where the phrase ends, or remove it`)
}
