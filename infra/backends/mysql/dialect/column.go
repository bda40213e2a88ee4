package dialect

import (
	"strconv"
	"strings"
)

// column writes a column: its type as MySQL says it, so that results can be
// typed by it, and as constraints what the type means there.
func (c *creation) column(t []token) error {
	label, kind := t[0].sql(), strings.ToUpper(t[1].text)
	rest := t[2:]
	var args []token
	if len(rest) > 0 && rest[0].sym("(") {
		end := match(rest, 0)
		if end < 0 {
			return refuse(codeSyntax, "the bracket after %s is not closed", kind)
		}
		args, rest = rest[1:end], rest[end+1:]
	}
	if strings.ToLower(t[0].text) == c.serial {
		c.parts = append(c.parts, label+" INTEGER PRIMARY KEY AUTOINCREMENT")
		return nil
	}
	words := []string{label, declared(kind, args)}
	words = append(words, meaning(t[0].text, kind, args, rest)...)
	attributes, err := c.attributes(rest)
	if err != nil {
		return err
	}
	c.parts = append(c.parts, strings.Join(append(words, attributes...), " "))
	return nil
}

// declared is the type as it is kept in the schema.
func declared(kind string, args []token) string {
	switch kind {
	case "BOOL", "BOOLEAN":
		return "TINYINT(1)"
	case "ENUM", "JSON":
		return "TEXT"
	case "DATETIME", "TIMESTAMP", "DATE", "TIME":
		// With its digits, always: plain types are converted by SQLite's driver.
		if len(args) == 0 {
			return kind + "(0)"
		}
	}
	if len(args) == 0 {
		return kind
	}
	return kind + "(" + strings.ReplaceAll(render(args), " ", "") + ")"
}

// meaning is what MySQL checks in strict mode, and how it compares.
func meaning(column, kind string, args, rest []token) []string {
	quoted := token{kind: name, text: column}.sql()
	check := func(what, condition string) []string {
		return []string{"CONSTRAINT " + token{kind: name, text: what + " of " + column}.sql() + " CHECK (" + condition + ")"}
	}
	switch kind {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER", "BIGINT", "BOOL", "BOOLEAN":
		return check("integer", "typeof("+quoted+") IN ('integer', 'null')")
	case "CHAR", "VARCHAR", "TEXT", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM":
		words := []string{}
		if !bytewise(rest) {
			words = append(words, "COLLATE NOCASE")
		}
		switch limit, err := strconv.Atoi(render(args)); {
		case kind == "ENUM":
			words = append(words, check("value", quoted+" IN ("+render(args)+")")...)
		case err == nil:
			words = append(words, check("length", "length("+quoted+") <= "+strconv.Itoa(limit))...)
		}
		return words
	}
	return nil
}

// bytewise tells whether texts of the column are compared byte by byte.
func bytewise(rest []token) bool {
	for i, t := range rest {
		if t.is("BINARY") || t.is("COLLATE") && i+1 < len(rest) && strings.HasSuffix(strings.ToLower(rest[i+1].text), "_bin") {
			return true
		}
	}
	return false
}

// attributes are NOT NULL, DEFAULT and what else SQLite knows; what only MySQL
// knows is dropped.
func (c *creation) attributes(t []token) ([]string, error) {
	var words []string
	for i := 0; i < len(t); i++ {
		switch {
		case t[i].is("UNSIGNED", "SIGNED", "ZEROFILL", "BINARY", "VISIBLE"):
		case t[i].is("COLLATE", "COMMENT"):
			i++
		case begins(t[i:], "CHARACTER", "SET"):
			i += 2
		case t[i].is("CHARSET"):
			i++
		case begins(t[i:], "ON", "UPDATE") && i+2 < len(t) && !t[i+2].is("CASCADE", "RESTRICT", "SET", "NO"):
			return nil, refuse(codeUnsupported, "this embedded server does not know ON UPDATE %s", t[i+2].text)
		case begins(t[i:], "UNIQUE", "KEY"):
			words = append(words, "UNIQUE")
			i++
		case t[i].is("KEY"):
			words = append(words, "PRIMARY KEY")
		case begins(t[i:], "PRIMARY", "KEY"):
			words = append(words, "PRIMARY KEY")
			i++
		case t[i].is("DEFAULT") && i+1 < len(t):
			value, used, err := c.value(t[i+1:])
			if err != nil {
				return nil, err
			}
			words = append(words, "DEFAULT "+value)
			i += used
		default:
			words = append(words, rename(t[i], t[i+1:]).sql())
		}
	}
	return words, nil
}

// value reads the value of a DEFAULT, and how many tokens it has.
func (c *creation) value(t []token) (sql string, used int, err error) {
	end := 1
	if t[0].sym("-") || t[0].sym("+") {
		end = 2
	}
	if len(t) > 1 && t[1].sym("(") {
		end = match(t, 1) + 1
	}
	if t[0].sym("(") {
		end = match(t, 0) + 1
	}
	if end <= 0 || end > len(t) {
		return "", 0, refuse(codeSyntax, "the DEFAULT at %s has no end", near(c.source[t[0].from:]))
	}
	rewritten, err := c.rewrite(t[:end])
	if err != nil {
		return "", 0, err
	}
	if end == 1 && t[0].is("CURRENT_TIMESTAMP") {
		return "(now())", 1, nil
	}
	return "(" + render(rewritten) + ")", end, nil
}
