package mysql

import (
	"context"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/flotilla-dev/flotilla/infra/backends/mysql/dialect"
)

// run does what a statement says.
func (s *session) run(ctx context.Context, st dialect.Statement, args []any, binary bool) (*mysql.Result, error) {
	switch st.Kind {
	case dialect.Use:
		return ok(0, 0), s.UseDB(st.Name)
	case dialect.Begin, dialect.BeginReadOnly:
		return ok(0, 0), s.begin(ctx, st.Kind == dialect.BeginReadOnly)
	case dialect.Commit:
		return ok(0, 0), s.end(ctx, "COMMIT")
	case dialect.Rollback:
		return ok(0, 0), s.end(ctx, "ROLLBACK")
	case dialect.AutocommitOn:
		s.auto = true
		return ok(0, 0), s.end(ctx, "COMMIT")
	case dialect.AutocommitOff:
		s.auto = false
		return ok(0, 0), nil
	case dialect.Define:
		return ok(0, 0), s.define(ctx, st)
	case dialect.Query, dialect.Change:
		if !s.auto && !s.open {
			if err := s.begin(ctx, false); err != nil {
				return nil, err
			}
		}
		if st.Kind == dialect.Query {
			return s.query(ctx, st.SQL[0], args, binary)
		}
		return s.change(ctx, st, args)
	}
	return ok(0, 0), nil
}

func ok(affected, insert uint64) *mysql.Result {
	return &mysql.Result{AffectedRows: affected, InsertId: insert}
}

// begin begins a transaction and commits one that is open, as MySQL does. It
// takes the lock for writing at once: a transaction that first reads and then
// writes must not find that what it has read is old.
func (s *session) begin(ctx context.Context, readOnly bool) error {
	if err := s.end(ctx, "COMMIT"); err != nil {
		return err
	}
	how := "BEGIN IMMEDIATE"
	if readOnly {
		how = "BEGIN"
		if _, err := s.db.ExecContext(ctx, "PRAGMA query_only = 1"); err != nil {
			return err
		}
		s.readOnly = true
	}
	if _, err := s.db.ExecContext(ctx, how); err != nil {
		return err
	}
	s.open = true
	return nil
}

// end ends the transaction, if there is one. One that cannot be committed now,
// because others read, stays open: the client may try again.
func (s *session) end(ctx context.Context, how string) error {
	if s.open {
		if _, err := s.db.ExecContext(ctx, how); err != nil && !strings.Contains(err.Error(), "no transaction is active") {
			return err
		}
		s.open = false
	}
	if s.readOnly {
		s.readOnly = false
		_, err := s.db.ExecContext(ctx, "PRAGMA query_only = 0")
		return err
	}
	return nil
}

// define changes the schema, all of a statement or nothing.
func (s *session) define(ctx context.Context, st dialect.Statement) error {
	if err := s.begin(ctx, false); err != nil {
		return err
	}
	for _, sql := range st.SQL {
		if _, err := s.db.ExecContext(ctx, sql); err != nil {
			_ = s.end(context.WithoutCancel(ctx), "ROLLBACK") // err says more
			return err
		}
	}
	return s.end(ctx, "COMMIT")
}

func (s *session) change(ctx context.Context, st dialect.Statement, args []any) (*mysql.Result, error) {
	r, err := s.db.ExecContext(ctx, st.SQL[0], values(args)...)
	if err != nil {
		return nil, err
	}
	affected, err := r.RowsAffected()
	if err != nil {
		return nil, err
	}
	if !st.Inserts || affected == 0 {
		return ok(uint64(affected), 0), nil
	}
	last, err := r.LastInsertId()
	if err != nil {
		return nil, err
	}
	// MySQL tells the first of the numbers that one statement gave. They follow
	// each other: nobody else writes meanwhile.
	s.last = uint64(max(last-affected+1, 0))
	return ok(uint64(affected), s.last), nil
}

// values are the values of placeholders as SQLite takes them. What a client
// sends as bytes is text: it says so of binary values too.
func values(args []any) []any {
	for i, a := range args {
		switch v := a.(type) {
		case []byte:
			args[i] = string(v)
		case uint64:
			args[i] = int64(v)
		case float32:
			args[i] = float64(v)
		}
	}
	return args
}
