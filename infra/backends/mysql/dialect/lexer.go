package dialect

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// lexer cuts a statement into tokens.
type lexer struct {
	source string
	at     int
	spaced bool
	tokens []token
}

// lex returns the tokens of one statement, without the semicolon at its end.
func lex(source string) ([]token, error) {
	l := &lexer{source: source}
	for {
		if err := l.skip(); err != nil {
			return nil, err
		}
		if l.at == len(l.source) {
			break
		}
		from := l.at
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		t.from, t.to, t.spaced = from, l.at, l.spaced
		l.tokens = append(l.tokens, t)
	}
	n := len(l.tokens)
	for n > 0 && l.tokens[n-1].sym(";") {
		n--
	}
	for _, t := range l.tokens[:n] {
		if t.sym(";") {
			return nil, refuse(codeSyntax, "send one statement at a time")
		}
	}
	return l.tokens[:n], nil
}

// skip passes white space and comments. The content of /*! … */ is code.
func (l *lexer) skip() error {
	l.spaced = false
	for l.at < len(l.source) {
		rest := l.source[l.at:]
		end := 0
		switch {
		case rest[0] <= ' ':
			end = 1
		case strings.HasPrefix(rest, "/*!"): // MySQL runs it; so do we
			end = 3 + len(rest[3:]) - len(strings.TrimLeft(rest[3:], "0123456789"))
		case strings.HasPrefix(rest, "*/"): // the end of such code
			end = 2
		case strings.HasPrefix(rest, "/*"):
			close := strings.Index(rest[2:], "*/")
			if close < 0 {
				return refuse(codeSyntax, "the comment that begins at %s has no end", near(rest))
			}
			end = close + 4
		case rest[0] == '#', strings.HasPrefix(rest, "-- "), strings.HasPrefix(rest, "--\n"), rest == "--":
			if end = strings.IndexByte(rest, '\n'); end < 0 {
				end = len(rest)
			}
		default:
			return nil
		}
		l.spaced = true
		l.at += end
	}
	return nil
}

func (l *lexer) next() (token, error) {
	rest := l.source[l.at:]
	switch c := rest[0]; {
	case c == '\'' || c == '"':
		s, err := l.quoted(c, true)
		return token{kind: text, text: s}, err
	case c == '`':
		s, err := l.quoted(c, false)
		return token{kind: name, text: s}, err
	case (c == 'x' || c == 'X') && len(rest) > 1 && rest[1] == '\'':
		l.at++
		s, err := l.quoted('\'', false)
		if err != nil {
			return token{}, err
		}
		return hexadecimal(s)
	case strings.HasPrefix(rest, "0x"):
		digits := rest[2:]
		digits = digits[:len(digits)-len(strings.TrimLeft(digits, "0123456789abcdefABCDEF"))]
		l.at += 2 + len(digits)
		return hexadecimal(digits)
	case c == '@':
		n := 1
		for n < len(rest) && (rest[n] == '@' || rest[n] == '.' || letter(rest[n])) {
			n++
		}
		l.at += n
		return token{kind: variable, text: rest[:n]}, nil
	case c >= '0' && c <= '9' || c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		n := numeral(rest)
		l.at += n
		return token{kind: number, text: rest[:n]}, nil
	case letter(c):
		n := 1
		for n < len(rest) && letter(rest[n]) {
			n++
		}
		l.at += n
		return token{kind: word, text: rest[:n]}, nil
	case c == '?':
		l.at++
		return token{kind: param, text: "?"}, nil
	}
	return l.symbol(rest), nil
}

func letter(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// numeral is the length of the number that begins s.
func numeral(s string) int {
	n := 0
	for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] == '.') {
		n++
	}
	if n+1 < len(s) && s[n]|0x20 == 'e' {
		m := n + 1
		if s[m] == '+' || s[m] == '-' {
			m++
		}
		digits := m
		for m < len(s) && s[m] >= '0' && s[m] <= '9' {
			m++
		}
		if m > digits {
			return m
		}
	}
	return n
}

// symbols of more than one character, as MySQL has them and as SQLite does.
var symbols = []struct{ mysql, sqlite string }{
	{"<=>", " IS "}, {"<=", "<="}, {">=", ">="}, {"<>", "<>"}, {"!=", "!="}, {"<<", "<<"}, {">>", ">>"},
	{"||", " OR "}, {"&&", " AND "}, {":=", ":="},
}

func (l *lexer) symbol(rest string) token {
	for _, s := range symbols {
		if strings.HasPrefix(rest, s.mysql) {
			l.at += len(s.mysql)
			return token{kind: symbol, text: s.sqlite}
		}
	}
	l.at++
	if rest[0] == '!' {
		return token{kind: symbol, text: " NOT "}
	}
	return token{kind: symbol, text: rest[:1]}
}

// quoted reads to the closing quote. A doubled quote stands for one; in texts a
// backslash escapes.
func (l *lexer) quoted(quote byte, escapes bool) (string, error) {
	var out strings.Builder
	begin := l.at
	l.at++
	for l.at < len(l.source) {
		c := l.source[l.at]
		l.at++
		switch {
		case c == quote && l.at < len(l.source) && l.source[l.at] == quote:
			out.WriteByte(quote)
			l.at++
		case c == quote:
			return out.String(), nil
		case c == '\\' && escapes && l.at < len(l.source):
			out.WriteString(unescape(l.source[l.at]))
			l.at++
		default:
			out.WriteByte(c)
		}
	}
	return "", refuse(codeSyntax, "the quote that begins at %s is not closed", near(l.source[begin:]))
}

func unescape(c byte) string {
	switch c {
	case '0':
		return "\x00"
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	case 'b':
		return "\b"
	case 'Z':
		return "\x1a"
	case '%', '_': // for LIKE, where the backslash is kept
		return `\` + string(c)
	}
	return string([]byte{c})
}

func hexadecimal(digits string) (token, error) {
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	if _, err := hex.DecodeString(digits); err != nil {
		return token{}, refuse(codeSyntax, "%.20q is not hexadecimal", digits)
	}
	return token{kind: binary, text: digits}, nil
}

// near is the beginning of a text, for an error.
func near(s string) string { return fmt.Sprintf("%.40q", s) }
