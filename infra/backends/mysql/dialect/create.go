package dialect

import (
	"fmt"
	"strings"
)

// creation is a CREATE TABLE that is taken apart.
type creation struct {
	parser
	table   token
	exists  bool   // IF NOT EXISTS
	serial  string // the column with AUTO_INCREMENT, lower case
	parts   []string
	indexes []string
}

// findKey finds the column that numbers itself. In SQLite it must be the
// primary key, said at the column.
func (c *creation) findKey(parts [][]token) {
	for _, part := range parts {
		for _, t := range part[min(1, len(part)):] {
			if t.is("AUTO_INCREMENT") {
				c.serial = strings.ToLower(part[0].text)
			}
		}
	}
}

// part handles a column, a key or a constraint.
func (c *creation) part(t []token) error {
	if len(t) == 0 {
		return refuse(codeSyntax, "there is a comma too much in %s", near(c.source))
	}
	switch {
	case t[0].is("KEY", "INDEX"), t[0].is("UNIQUE"):
		return c.key(t)
	case t[0].is("FULLTEXT", "SPATIAL"):
		return refuse(codeUnsupported, "this embedded server knows no %s index", strings.ToUpper(t[0].text))
	case begins(t, "PRIMARY", "KEY"):
		if c.serial != "" {
			return nil // said at the column
		}
		return c.constraint(t)
	case t[0].is("CONSTRAINT", "FOREIGN", "CHECK"):
		return c.constraint(t)
	case len(t) > 1 && t[0].named() && t[1].kind == word:
		return c.column(t)
	}
	return refuse(codeSyntax, "neither a column nor a key: %s", near(c.source[t[0].from:]))
}

func (c *creation) constraint(t []token) error {
	t, err := c.rewrite(t)
	if err != nil {
		return err
	}
	c.parts = append(c.parts, render(t))
	return nil
}

// key handles [UNIQUE] KEY [name] (columns): a constraint, or an index of its own.
func (c *creation) key(t []token) error {
	open := 0
	for open < len(t) && !t[open].sym("(") {
		open++
	}
	close := match(t, open)
	if close < 0 {
		return refuse(codeSyntax, "a key has its columns in brackets: %s", near(c.source[t[0].from:]))
	}
	columns := render(t[open : close+1])
	if t[0].is("UNIQUE") {
		c.parts = append(c.parts, "UNIQUE "+columns)
		return nil
	}
	label := fmt.Sprintf("%s_%d", c.table.text, len(c.indexes)+1)
	if last := t[open-1]; open > 1 && last.named() {
		label = c.table.text + "_" + last.text // an index's name is the database's in SQLite
	}
	only := ""
	if c.exists {
		only = "IF NOT EXISTS "
	}
	c.indexes = append(c.indexes, "CREATE INDEX "+only+token{kind: name, text: label}.sql()+" ON "+c.table.sql()+" "+columns)
	return nil
}
