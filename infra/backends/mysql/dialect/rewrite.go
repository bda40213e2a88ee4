package dialect

import (
	"strconv"
	"strings"
)

// renamed are functions that SQLite has by another name.
var renamed = map[string]string{
	"CHAR_LENGTH": "length", "CHARACTER_LENGTH": "length", "LENGTH": "octet_length",
	"IF": "iif", "UCASE": "upper", "LCASE": "lower", "MID": "substr",
	"CURRENT_TIMESTAMP": "now", "LOCALTIMESTAMP": "now", "LOCALTIME": "now", "UTC_TIMESTAMP": "now", "SYSDATE": "now",
	"CURDATE": "date", "UTC_DATE": "date", "LAST_INSERT_ID": "", "CONNECTION_ID": "", "USER": "", "CURRENT_USER": "", "SESSION_USER": "",
}

// rewrite says in SQLite's tokens what those of a SELECT, INSERT, UPDATE or
// DELETE mean.
func (p parser) rewrite(in []token) ([]token, error) {
	in = unlock(in)
	out := make([]token, 0, len(in)+8)
	conflict := false // past ON DUPLICATE KEY UPDATE
	for i := 0; i < len(in); i++ {
		t, rest := in[i], in[i+1:]
		switch {
		case t.kind == variable:
			value, err := p.variable(t)
			if err != nil {
				return nil, err
			}
			out = append(out, value)
			out = append(out, p.label(in, i, i)...)
		case p.schema(t, rest) && !(i > 0 && in[i-1].sym(".")):
			out = append(out, token{kind: word, text: "main", spaced: t.spaced})
		case t.is("_binary", "_utf8", "_utf8mb4", "_utf8mb3", "_latin1") && len(rest) > 0 && (rest[0].kind == text || rest[0].kind == binary):
			// an introducer: SQLite has one character set
		case t.is("IGNORE") && i == 1:
			out = append(out, plain("OR"), plain("IGNORE"))
		case begins(in[i:], "ON", "DUPLICATE", "KEY", "UPDATE"):
			conflict = true
			out = append(out, plain("ON"), plain("CONFLICT"), plain("DO"), plain("UPDATE"), plain("SET"))
			i += 3
		case conflict && t.is("VALUES") && called(rest) && len(rest) > 2 && rest[2].sym(")"):
			out = append(out, plain("excluded"), token{kind: symbol, text: "."}, rest[1])
			i += 3
		case empty(in[i:]) && in[0].is("INSERT", "REPLACE"):
			out = append(out, plain("DEFAULT"), plain("VALUES"))
			i += 4
		case p.session.function(t) != "" && called(rest) && len(rest) > 1 && rest[1].sym(")"):
			out = append(out, token{kind: word, text: p.session.function(t), spaced: t.spaced})
			out = append(out, p.label(in, i, i+2)...)
			i += 2
		default:
			out = append(out, rename(t, rest))
		}
	}
	return out, nil
}

// empty tells whether () VALUES () begins here: a row of defaults.
func empty(t []token) bool {
	return len(t) > 4 && t[0].sym("(") && t[1].sym(")") && t[2].is("VALUES", "VALUE") && t[3].sym("(") && t[4].sym(")")
}

// unlock drops what asks for row locks: SQLite locks the database.
func unlock(t []token) []token {
	for i := range t {
		if begins(t[i:], "FOR", "UPDATE") || begins(t[i:], "FOR", "SHARE") || begins(t[i:], "LOCK", "IN", "SHARE", "MODE") {
			return t[:i]
		}
	}
	return t
}

func begins(t []token, words ...string) bool {
	if len(t) < len(words) {
		return false
	}
	for i, w := range words {
		if !t[i].is(w) {
			return false
		}
	}
	return true
}

func called(rest []token) bool { return len(rest) > 0 && rest[0].sym("(") }

// rename gives a function the name that it has in SQLite.
func rename(t token, rest []token) token {
	if to := renamed[strings.ToUpper(t.text)]; t.kind == word && to != "" && called(rest) {
		t.text = to
	}
	return t
}

// schema tells whether the token is the database in front of a table's name.
func (p parser) schema(t token, rest []token) bool {
	return t.named() && strings.EqualFold(t.text, p.session.Database) && len(rest) > 1 && rest[0].sym(".") && rest[1].named()
}

// function is the value of a function that depends on the session, as SQL.
func (s Session) function(t token) string {
	switch {
	case t.is("LAST_INSERT_ID"):
		return strconv.FormatUint(s.LastInsert, 10)
	case t.is("CONNECTION_ID"):
		return strconv.FormatUint(uint64(s.Connection), 10)
	case t.is("USER", "CURRENT_USER", "SESSION_USER"):
		return literal(s.User + "@%")
	case t.is("DATABASE", "SCHEMA"):
		return literal(s.Database)
	}
	return ""
}

// variable is the value of @@name as a token.
func (p parser) variable(t token) (token, error) {
	full := strings.ToLower(t.text)
	short := strings.TrimPrefix(full, "@@")
	short = strings.TrimPrefix(strings.TrimPrefix(short, "session."), "global.")
	value, known := p.session.Variables[short]
	if short == full || !known {
		return token{}, refuse(codeUnknownValue, "Unknown system variable '%.60s'", strings.TrimLeft(t.text, "@"))
	}
	if _, err := strconv.ParseInt(value, 10, 64); err == nil {
		return token{kind: number, text: value, spaced: t.spaced}, nil
	}
	return token{kind: text, text: value, spaced: t.spaced}, nil
}

// label gives a replaced item of a select list the name that MySQL would give
// it, which is its text, where it has none.
func (p parser) label(in []token, first, last int) []token {
	if !in[0].is("SELECT") || first == 0 {
		return nil
	}
	before := in[first-1]
	alone := before.is("SELECT", "DISTINCT") || before.sym(",")
	if last+1 < len(in) {
		after := in[last+1]
		alone = alone && (after.sym(",") || after.is("FROM", "LIMIT", "WHERE", "UNION"))
	}
	if !alone {
		return nil
	}
	return []token{plain("AS"), {kind: name, text: p.source[in[first].from:in[last].to], spaced: true}}
}
