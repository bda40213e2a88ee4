package dialect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// show answers SHOW and DESCRIBE by a query of SQLite's catalogue.
func (p parser) show(t []token) (Statement, error) {
	rest := t[1:]
	for len(rest) > 0 && rest[0].is("FULL", "GLOBAL", "SESSION", "EXTENDED") {
		rest = rest[1:]
	}
	switch {
	case !t[0].is("SHOW") && len(rest) > 0 && rest[len(rest)-1].named():
		return columns(rest[len(rest)-1].text), nil
	case len(rest) == 0:
	case rest[0].is("DATABASES", "SCHEMAS"):
		return query("SELECT %s AS `Database`", literal(p.session.Database)), nil
	case rest[0].is("TABLES"):
		return query("SELECT name AS `Tables_in_%s` FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%%' ESCAPE '~' AND name LIKE %s ORDER BY name",
			strings.ReplaceAll(p.session.Database, "`", ""), literal(like(rest))), nil
	case rest[0].is("COLUMNS", "FIELDS") && len(rest) > 2 && rest[1].is("FROM", "IN") && rest[2].named():
		return columns(rest[2].text), nil
	case rest[0].is("WARNINGS", "ERRORS"):
		return query("SELECT '' AS Level, 0 AS Code, '' AS Message WHERE 0"), nil
	case rest[0].is("VARIABLES"):
		return values(p.session.Variables, like(rest)), nil
	case rest[0].is("STATUS"):
		return values(p.session.Status, like(rest)), nil
	case rest[0].is("REPLICA", "SLAVE") && len(rest) > 1 && rest[1].is("STATUS"):
		return query("SELECT '' AS Seconds_Behind_Master WHERE 0"), nil // it replicates from nobody
	}
	return Statement{}, refuse(codeUnsupported, "this embedded server does not know %s", near(p.source))
}

func query(format string, args ...any) Statement {
	return Statement{Kind: Query, SQL: []string{fmt.Sprintf(format, args...)}}
}

// columns describes a table. An unknown one is an error, as in MySQL: hence the
// second column of an empty table of that name.
func columns(table string) Statement {
	return query("SELECT i.name AS Field, lower(i.type) AS Type, iif(i.\"notnull\" OR i.pk, 'NO', 'YES') AS `Null`, "+
		"iif(i.pk, 'PRI', '') AS `Key`, i.dflt_value AS `Default`, '' AS Extra FROM pragma_table_info(%s) i "+
		"WHERE (SELECT count(*) FROM %s WHERE 0) = 0", literal(table), token{kind: name, text: table}.sql())
}

// like is the pattern of SHOW … LIKE 'pattern', or that which all names match.
func like(t []token) string {
	for i, one := range t {
		if one.is("LIKE") && i+1 < len(t) && t[i+1].kind == text {
			return t[i+1].text
		}
	}
	return "%"
}

func values(from map[string]string, pattern string) Statement {
	rows := []string{"('', '')"} // VALUES cannot be empty
	for _, k := range slices.Sorted(maps.Keys(from)) {
		rows = append(rows, "("+literal(k)+", "+literal(from[k])+")")
	}
	return query("SELECT column1 AS Variable_name, column2 AS Value FROM (VALUES %s) WHERE column1 <> '' AND column1 LIKE %s",
		strings.Join(rows, ", "), literal(pattern))
}
