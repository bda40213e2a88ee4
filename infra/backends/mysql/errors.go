package mysql

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/flotilla-dev/flotilla/infra/backends/mysql/dialect"
)

// Numbers of errors that the library has no constant for.
const errTimeout = 3024

// states are the SQLSTATEs of our errors; all others have HY000.
var states = map[uint16]string{
	mysql.ER_DUP_ENTRY: "23000", mysql.ER_BAD_NULL_ERROR: "23000", mysql.ER_NO_REFERENCED_ROW_2: "23000", mysql.ER_ROW_IS_REFERENCED_2: "23000",
	mysql.ER_NO_SUCH_TABLE: "42S02", mysql.ER_BAD_FIELD_ERROR: "42S22", mysql.ER_TABLE_EXISTS_ERROR: "42S01", mysql.ER_PARSE_ERROR: "42000",
	mysql.ER_SP_DOES_NOT_EXIST: "42000", mysql.ER_BAD_DB_ERROR: "42000", mysql.ER_NOT_SUPPORTED_YET: "42000", mysql.ER_DATA_TOO_LONG: "22001",
	mysql.ER_TRUNCATED_WRONG_VALUE_FOR_FIELD: "22007", mysql.WARN_DATA_TRUNCATED: "01000",
	mysql.ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: "25006", mysql.ER_BAD_TABLE_ERROR: "42S02",
}

func failure(code uint16, message string) *mysql.MyError {
	state := states[code]
	if state == "" {
		state = "HY000"
	}
	return &mysql.MyError{Code: code, State: state, Message: message}
}

// said are texts of SQLite's errors and what MySQL would say.
var said = []struct {
	pattern *regexp.Regexp
	code    uint16
	message string // $1 is what the pattern found
}{
	{regexp.MustCompile(`UNIQUE constraint failed: (.+?)(?: \(\d+\))?$`), mysql.ER_DUP_ENTRY, "Duplicate entry for key '$1'"},
	{regexp.MustCompile(`NOT NULL constraint failed: [^.]*\.(\S+)`), mysql.ER_BAD_NULL_ERROR, "Column '$1' cannot be null"},
	{regexp.MustCompile(`CHECK constraint failed: length of (\S+)`), mysql.ER_DATA_TOO_LONG, "Data too long for column '$1'"},
	{regexp.MustCompile(`CHECK constraint failed: integer of (\S+)`), mysql.ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, "Incorrect integer value for column '$1'"},
	{regexp.MustCompile(`CHECK constraint failed: (?:value of )?(\S+)`), mysql.WARN_DATA_TRUNCATED, "Value not allowed for '$1'"},
	{regexp.MustCompile(`FOREIGN KEY constraint failed`), mysql.ER_NO_REFERENCED_ROW_2, "Cannot add, change or delete a row: a foreign key constraint fails"},
	{regexp.MustCompile(`no such table: (?:main\.)?(\S+)`), mysql.ER_NO_SUCH_TABLE, "Table '$1' doesn't exist"},
	{regexp.MustCompile(`no such column: (\S+)`), mysql.ER_BAD_FIELD_ERROR, "Unknown column '$1'"},
	{regexp.MustCompile(`has no column named (\S+)`), mysql.ER_BAD_FIELD_ERROR, "Unknown column '$1'"},
	{regexp.MustCompile("(?:table|index) [`\"]?(.+?)[`\"]? already exists"), mysql.ER_TABLE_EXISTS_ERROR, "Table '$1' already exists"},
	{regexp.MustCompile(`no such function: (\S+)`), mysql.ER_SP_DOES_NOT_EXIST, "FUNCTION $1 does not exist"},
	{regexp.MustCompile(`no such savepoint: (\S+)`), mysql.ER_SP_DOES_NOT_EXIST, "SAVEPOINT $1 does not exist"},
	{regexp.MustCompile(`near "(.+?)": syntax error`), mysql.ER_PARSE_ERROR, "You have an error in your SQL syntax near '$1'; this embedded server knows a part of MySQL's SQL"},
	{regexp.MustCompile(`interrupted`), errTimeout, "Query execution was interrupted, maximum statement execution time exceeded"},
}

// explain turns an error into one of MySQL's. ours tells an error that is
// nobody's fault but this program's, which is to be logged.
func explain(err error) (told *mysql.MyError, ours bool) {
	var d *dialect.Error
	if errors.As(err, &d) {
		return failure(d.Code, d.Message), false
	}
	var already *mysql.MyError
	if errors.As(err, &already) {
		return already, false
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return failure(errTimeout, "Query execution was interrupted, maximum statement execution time exceeded"), false
	}
	var s *sqlite.Error
	if errors.As(err, &s) {
		switch s.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return failure(mysql.ER_LOCK_WAIT_TIMEOUT, "Lock wait timeout exceeded; try restarting transaction"), false
		case sqlite3.SQLITE_FULL:
			return failure(mysql.ER_RECORD_FILE_FULL, "The database is full (MYSQL_MAX_SIZE)"), false
		case sqlite3.SQLITE_MISMATCH: // of a column that numbers itself
			return failure(mysql.ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, "Incorrect integer value for an AUTO_INCREMENT column"), false
		case sqlite3.SQLITE_READONLY:
			return failure(mysql.ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, "Cannot execute statement in a READ ONLY transaction"), false
		}
	}
	return explainText(err.Error())
}

func explainText(text string) (*mysql.MyError, bool) {
	for _, one := range said {
		m := one.pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		found := ""
		if len(m) > 1 {
			found = strings.Trim(m[1], "`\",")
		}
		return failure(one.code, strings.ReplaceAll(one.message, "$1", found)), false
	}
	if strings.HasPrefix(text, "SQL logic error") {
		return failure(mysql.ER_PARSE_ERROR, "this embedded server does not know this statement"), false
	}
	return failure(mysql.ER_UNKNOWN_ERROR, "something went wrong here; it was logged"), true
}
