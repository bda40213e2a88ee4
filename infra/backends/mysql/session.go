package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	protocol "github.com/go-mysql-org/go-mysql/server"

	"github.com/flotilla-dev/flotilla/infra/backends/mysql/dialect"
)

// maxPrepared bounds the prepared statements of a session.
const maxPrepared = 1024

// session is what the protocol's server calls for one connection. Its methods
// are called from one goroutine.
type session struct {
	cfg      Config
	log      *slog.Logger
	metrics  *metrics
	db       *sql.Conn
	conn     *protocol.Conn // nil until the client is let in
	status   func() map[string]string
	prepared int

	last     uint64 // LAST_INSERT_ID
	auto     bool   // autocommit
	open     bool   // a transaction is
	readOnly bool   // it writes nothing
}

// UseDB is COM_INIT_DB, and the database that a client names when it connects.
func (s *session) UseDB(name string) error {
	if name != s.cfg.Database {
		return failure(mysql.ER_BAD_DB_ERROR, fmt.Sprintf("Unknown database '%.64s'", name))
	}
	return nil
}

// HandleQuery is COM_QUERY.
func (s *session) HandleQuery(query string) (*mysql.Result, error) {
	return s.answer(query, nil, false)
}

// HandleStmtPrepare is COM_STMT_PREPARE. The statement is read again when it is
// executed, because its meaning may depend on the session.
func (s *session) HandleStmtPrepare(query string) (params, columns int, prepared any, err error) {
	if s.prepared >= maxPrepared {
		return 0, 0, nil, failure(1461, fmt.Sprintf("Can't create more than %d prepared statements in a connection", maxPrepared))
	}
	st, err := dialect.Parse(query, s.context())
	if err != nil {
		return 0, 0, nil, s.tell(err)
	}
	if st.Params > 1<<15-1 {
		return 0, 0, nil, failure(1390, "Prepared statement contains too many placeholders")
	}
	s.prepared++
	return st.Params, 0, nil, nil
}

// HandleStmtExecute is COM_STMT_EXECUTE. The library wraps the error of a
// prepared statement, which costs it its number: so it is written here, and what
// is returned is a result that says that everything has been written.
func (s *session) HandleStmtExecute(_ any, query string, args []any) (*mysql.Result, error) {
	r, err := s.answer(query, args, true)
	if err == nil {
		return r, nil
	}
	if err := s.conn.WriteValue(err); err != nil {
		return nil, err
	}
	return mysql.NewResult(&mysql.Resultset{Fields: []*mysql.Field{{}}, Streaming: mysql.StreamingMultiple, StreamingDone: true}), nil
}

// HandleStmtClose is COM_STMT_CLOSE.
func (s *session) HandleStmtClose(any) error {
	s.prepared--
	return nil
}

// HandleFieldList is COM_FIELD_LIST: the columns of a table, for completion.
func (s *session) HandleFieldList(table, _ string) ([]*mysql.Field, error) {
	r, err := s.answer("DESCRIBE `"+table+"`", nil, false)
	if err != nil {
		return nil, err
	}
	fields := make([]*mysql.Field, 0, len(r.RowDatas))
	for _, row := range r.RowDatas {
		column, _, _, err := mysql.LengthEncodedString(row)
		if err != nil {
			return nil, s.tell(err)
		}
		fields = append(fields, &mysql.Field{Table: []byte(table), Name: column, Type: mysql.MYSQL_TYPE_VAR_STRING, Charset: utf8mb4})
	}
	return fields, nil
}

// HandleOtherCommand is every other command.
func (s *session) HandleOtherCommand(cmd byte, _ []byte) error {
	if cmd == mysql.COM_RESET_CONNECTION {
		return nil
	}
	return failure(mysql.ER_UNKNOWN_COM_ERROR, fmt.Sprintf("this embedded server does not know command %d", cmd))
}

func (s *session) answer(query string, args []any, binary bool) (*mysql.Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.MaxTime)
	defer cancel()
	s.metrics.running.Inc()
	defer s.metrics.running.Dec()
	st, err := dialect.Parse(query, s.context())
	if err != nil {
		return nil, s.tell(err)
	}
	r, err := s.run(ctx, st, args, binary)
	s.showStatus()
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, s.tell(asDropped(st, err))
	}
	s.metrics.statements.WithLabelValues("ok").Inc()
	return r, nil
}

// asDropped gives DROP its own word for a table that is not there.
func asDropped(st dialect.Statement, err error) error {
	told, _ := explain(err)
	if st.Kind == dialect.Define && told.Code == mysql.ER_NO_SUCH_TABLE && strings.HasPrefix(strings.ToUpper(st.SQL[0]), "DROP") {
		return failure(mysql.ER_BAD_TABLE_ERROR, strings.Replace(told.Message, "doesn't exist", "is unknown", 1))
	}
	return err
}

// tell counts an error, logs it where it is ours, and says it in MySQL's words.
func (s *session) tell(err error) error {
	told, ours := explain(err)
	s.metrics.statements.WithLabelValues("error").Inc()
	if ours {
		s.log.Error("statement failed", "error", err)
	}
	return told
}

// context is what the meaning of a statement depends on.
func (s *session) context() dialect.Session {
	c := dialect.Session{Database: s.cfg.Database, User: s.cfg.User, LastInsert: s.last, Variables: s.variables(), Status: s.status()}
	if s.conn != nil {
		c.Connection = s.conn.ConnectionID()
	}
	return c
}

// showStatus keeps the flags that each answer carries.
func (s *session) showStatus() {
	if s.conn == nil {
		return
	}
	s.conn.UnsetStatus(mysql.SERVER_STATUS_AUTOCOMMIT | mysql.SERVER_STATUS_IN_TRANS)
	if s.auto {
		s.conn.SetStatus(mysql.SERVER_STATUS_AUTOCOMMIT)
	}
	if s.open {
		s.conn.SetStatus(mysql.SERVER_STATUS_IN_TRANS)
	}
}

// close rolls back what is open.
func (s *session) close() {
	if err := s.db.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		s.log.Warn("session not closed", "error", err)
	}
}
