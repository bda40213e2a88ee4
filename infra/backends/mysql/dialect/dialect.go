package dialect

import "strings"

// Kind is what has to be done with a statement.
type Kind int

const (
	Nothing       Kind = iota // it is accepted and means nothing here
	Query                     // it has rows
	Change                    // it changes rows
	Define                    // it changes the schema, and commits what is open
	Begin                     // a transaction
	BeginReadOnly             // a transaction that writes nothing
	Commit
	Rollback
	AutocommitOn  // each statement is a transaction
	AutocommitOff // a statement begins a transaction
	Use           // Statement.Name is the database
)

// A Statement is one that SQLite understands.
type Statement struct {
	Kind   Kind
	SQL    []string // to be run one after the other; none for Nothing and the kinds of transactions
	Name   string
	Params int // placeholders
	// Inserts tells that it may number new rows.
	Inserts bool
}

// A Session is what the meaning of a statement depends on.
type Session struct {
	Database   string
	User       string
	Connection uint32
	LastInsert uint64
	Variables  map[string]string // by lower-case name, without @@
	Status     map[string]string // what SHOW STATUS tells
}

// Parse reads one statement.
func Parse(source string, s Session) (Statement, error) {
	tokens, err := lex(source)
	if err != nil {
		return Statement{}, err
	}
	if len(tokens) == 0 {
		return Statement{}, refuse(codeSyntax, "the statement is empty")
	}
	p := parser{source: source, session: s}
	st, err := p.statement(tokens)
	if err != nil {
		return Statement{}, err
	}
	st.Inserts = tokens[0].is("INSERT", "REPLACE")
	for _, t := range tokens {
		if t.kind == param {
			st.Params++
		}
	}
	return st, nil
}

type parser struct {
	source  string
	session Session
}

func (p parser) statement(t []token) (Statement, error) {
	switch first := t[0]; {
	case first.is("SELECT", "WITH", "VALUES") || first.sym("("):
		return p.rewritten(Query, t)
	case first.is("INSERT", "REPLACE", "UPDATE", "DELETE"):
		return p.rewritten(Change, t)
	case first.is("CREATE", "DROP", "ALTER", "TRUNCATE", "RENAME"):
		return p.define(t)
	case first.is("SHOW", "DESCRIBE", "DESC"):
		return p.show(t)
	case first.is("SET"):
		return p.set(t)
	case first.is("LOCK", "UNLOCK", "FLUSH", "ANALYZE", "OPTIMIZE"):
		return Statement{Kind: Nothing}, nil
	case first.is("USE") && len(t) == 2 && t[1].named():
		return Statement{Kind: Use, Name: t[1].text}, nil
	}
	return p.transaction(t)
}

func (p parser) transaction(t []token) (Statement, error) {
	first, words := t[0], strings.ToUpper(render(t))
	switch {
	case first.is("START") && strings.HasSuffix(words, "READ ONLY"):
		return Statement{Kind: BeginReadOnly}, nil
	case first.is("BEGIN"), strings.HasPrefix(words, "START TRANSACTION"):
		return Statement{Kind: Begin}, nil
	case first.is("COMMIT"):
		return Statement{Kind: Commit}, nil
	case first.is("ROLLBACK") && !strings.Contains(words, " TO "):
		return Statement{Kind: Rollback}, nil
	case first.is("ROLLBACK", "SAVEPOINT", "RELEASE"):
		return Statement{Kind: Change, SQL: []string{render(t)}}, nil
	}
	return Statement{}, refuse(codeSyntax, "You have an error in your SQL syntax: no statement begins with %s; this embedded server knows a part of MySQL's SQL", near(p.source))
}

// rewritten is a statement whose tokens are rewritten one by one.
func (p parser) rewritten(k Kind, t []token) (Statement, error) {
	t, err := p.rewrite(t)
	if err != nil {
		return Statement{}, err
	}
	return Statement{Kind: k, SQL: []string{render(t)}}, nil
}

// set handles what SET means here: autocommit, or nothing. Isolation levels are
// accepted because SQLite's only one, serializable, keeps what they all promise.
func (p parser) set(t []token) (Statement, error) {
	for i, one := range t {
		on := one.is("AUTOCOMMIT") || one.kind == variable && strings.HasSuffix(strings.ToLower(one.text), "autocommit")
		if !on || i+2 >= len(t) || !t[i+1].sym("=") {
			continue
		}
		if v := t[i+2]; v.text == "0" || v.is("OFF", "FALSE") {
			return Statement{Kind: AutocommitOff}, nil
		}
		return Statement{Kind: AutocommitOn}, nil
	}
	return Statement{Kind: Nothing}, nil
}
