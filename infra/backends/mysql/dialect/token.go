package dialect

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

type kind byte

const (
	word     kind = iota // keyword or plain name
	name                 // `name`
	text                 // 'text' or "text", decoded
	number               // 12, 1.5, 1e3
	binary               // x'ff' or 0xff, as hexadecimal digits
	variable             // @@name or @name
	param                // ?
	symbol               // everything else
)

// A token of a statement. Comments are no tokens.
type token struct {
	kind     kind
	text     string // names without quotes, texts decoded
	from, to int    // its place in the source
	spaced   bool   // white space or a comment stands before it
}

// is tells whether the token is one of the keywords, whatever their case.
func (t token) is(keywords ...string) bool {
	if t.kind != word {
		return false
	}
	for _, k := range keywords {
		if strings.EqualFold(t.text, k) {
			return true
		}
	}
	return false
}

// sym tells whether the token is this symbol.
func (t token) sym(s string) bool { return t.kind == symbol && t.text == s }

// named tells whether the token can be a name.
func (t token) named() bool { return t.kind == word || t.kind == name }

// sql writes the token as SQLite reads it.
func (t token) sql() string {
	switch t.kind {
	case name:
		return "`" + strings.ReplaceAll(t.text, "`", "``") + "`"
	case text:
		return literal(t.text)
	case binary:
		return "x'" + t.text + "'"
	}
	return t.text
}

// literal writes a text for SQLite, whose literals can hold neither a NUL nor
// bytes that are no UTF-8.
func literal(s string) string {
	if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		return "CAST(x'" + hex.EncodeToString([]byte(s)) + "' AS TEXT)"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// plain is a token that we write ourselves.
func plain(s string) token { return token{kind: word, text: s, spaced: true} }

// render joins tokens as they were spaced.
func render(tokens []token) string {
	var out strings.Builder
	for i, t := range tokens {
		if t.spaced && i > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(t.sql())
	}
	return out.String()
}
