package dialect

import "strings"

// define handles CREATE, DROP, ALTER, TRUNCATE and RENAME.
func (p parser) define(t []token) (Statement, error) {
	switch {
	case t[0].is("TRUNCATE"):
		last := t[len(t)-1]
		if len(t) < 2 || !last.named() {
			return Statement{}, refuse(codeSyntax, "write TRUNCATE TABLE and the table's name, not %s", near(p.source))
		}
		return Statement{Kind: Define, SQL: []string{"DELETE FROM " + last.sql()}}, nil
	case len(t) > 1 && t[1].is("DATABASE", "SCHEMA"):
		return p.database(t)
	case begins(t, "CREATE", "TABLE") || begins(t, "CREATE", "TEMPORARY", "TABLE"):
		return p.createTable(t)
	case len(t) > 1 && t[1].is("USER", "ROLE", "FUNCTION", "PROCEDURE", "EVENT", "TRIGGER") || t[0].is("RENAME"):
		return Statement{}, refuse(codeUnsupported, "this embedded server does not know %s", near(p.source))
	case begins(t, "DROP", "INDEX"):
		for i := range t { // DROP INDEX name ON table
			if t[i].is("ON") {
				t = t[:i]
				break
			}
		}
	}
	return p.rewritten(Define, t)
}

// database accepts CREATE DATABASE for the one there is.
func (p parser) database(t []token) (Statement, error) {
	at := 2
	if begins(t[2:], "IF", "NOT", "EXISTS") {
		at = 5
	}
	if t[0].is("CREATE") && at == 5 && at < len(t) && strings.EqualFold(t[at].text, p.session.Database) {
		return Statement{Kind: Nothing}, nil
	}
	return Statement{}, refuse(codeUnsupported, "this embedded server has the one database '%s'", p.session.Database)
}

// createTable writes CREATE TABLE anew, with its indexes after it.
func (p parser) createTable(t []token) (Statement, error) {
	open := 0
	for open < len(t) && !t[open].sym("(") {
		open++
	}
	close := match(t, open)
	if open < 3 || close < 0 {
		return Statement{}, refuse(codeSyntax, "a table is created with its columns in brackets, not by %s", near(p.source))
	}
	head, err := p.rewrite(t[:open])
	if err != nil {
		return Statement{}, err
	}
	c := creation{parser: p, table: head[len(head)-1], exists: hasExists(head)}
	c.findKey(split(t[open+1 : close]))
	for _, part := range split(t[open+1 : close]) {
		if err := c.part(part); err != nil {
			return Statement{}, err
		}
	}
	create := render(head) + " (" + strings.Join(c.parts, ", ") + ")"
	return Statement{Kind: Define, SQL: append([]string{create}, c.indexes...)}, nil
}

func hasExists(head []token) bool {
	for _, t := range head {
		if t.is("EXISTS") {
			return true
		}
	}
	return false
}

// match is the place of the bracket that closes the one at open, or -1.
func match(t []token, open int) int {
	depth := 0
	for i := open; i < len(t); i++ {
		switch {
		case t[i].sym("("):
			depth++
		case t[i].sym(")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// split cuts at the commas that are in no bracket.
func split(t []token) [][]token {
	var parts [][]token
	depth, from := 0, 0
	for i := range t {
		switch {
		case t[i].sym("("):
			depth++
		case t[i].sym(")"):
			depth--
		case t[i].sym(",") && depth == 0:
			parts = append(parts, t[from:i])
			from = i + 1
		}
	}
	return append(parts, t[from:])
}
