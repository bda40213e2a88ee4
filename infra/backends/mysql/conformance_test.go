package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// One suite runs over the embedded MySQL and over a real MariaDB, by the driver
// that applications use.
func TestConformanceOfTheEmbeddedServer(t *testing.T) { conform(t, embedded(t)) }
func TestConformanceOfTheRealServer(t *testing.T)     { conform(t, realServer(t)) }

// The login of the suite.
const (
	testUser     = "guest"
	testPassword = "s3cret ' word"
	testDatabase = "guestbook"
)

func conform(t *testing.T, addr string) {
	t.Helper()
	for name, test := range suite {
		t.Run(name, func(t *testing.T) { test(t, connect(t, addr)) })
	}
	t.Run("AWrongPasswordIsRefused", func(t *testing.T) { wrongLogin(t, addr) })
	t.Run("TheCommandLineClientWorks", func(t *testing.T) { commandLine(t, addr) })
}

func embedded(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(testPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, map[string]string{"MYSQL_USER": testUser, "MYSQL_PASSWORD_FILE": file, "MYSQL_DATABASE": testDatabase, "MYSQL_LOCK_WAIT": "2s"}).data
}

// realServer starts mariadbd, where it is installed, on a data directory of its own.
func realServer(t *testing.T) string {
	t.Helper()
	program := realserver.Find(t, "mariadbd", "the embedded MySQL is NOT compared with it here")
	dir, err := os.MkdirTemp("", "mariadb-") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data, init := filepath.Join(dir, "data"), filepath.Join(dir, "init.sql")
	install := exec.Command("mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db", "--user="+account())
	install.Env = append(os.Environ(), "TMPDIR="+dir) // its temporary tables meet those of others elsewhere
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}
	quoted := strings.ReplaceAll(testPassword, "'", "''")
	sql := fmt.Sprintf("CREATE DATABASE %s;\nCREATE USER '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON %s.* TO '%s'@'%%';\nSET GLOBAL innodb_lock_wait_timeout=2;\n",
		testDatabase, testUser, quoted, testDatabase, testUser)
	if err := os.WriteFile(init, []byte(sql), 0o644); err != nil {
		t.Fatal(err)
	}
	addr := nettest.Refuse(t)
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(program, "--no-defaults", "--datadir="+data, "--bind-address=127.0.0.1", "--port="+port, "--socket="+dir+"/s",
		"--init-file="+init, "--pid-file="+dir+"/pid", "--tmpdir="+dir, "--skip-name-resolve", "--user="+account(), "--default-time-zone=+00:00", "--character-set-server=utf8mb4", "--innodb-buffer-pool-size=16M")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	await.That(t, "mariadbd answers", func() bool {
		db, err := pool(addr, testPassword)
		if err != nil {
			return false
		}
		defer db.Close()
		return db.Ping() == nil
	})
	return addr
}

// account is whose name a server that refuses to be root's is told.
func account() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	return "root"
}

func dsn(addr, password string) string {
	cfg := driver.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd, cfg.DBName = "tcp", addr, testUser, password, testDatabase
	cfg.ParseTime, cfg.Timeout = true, 5*time.Second
	cfg.Logger = &driver.NopLogger{}
	return cfg.FormatDSN()
}

func pool(addr, password string) (*sql.DB, error) { return sql.Open("mysql", dsn(addr, password)) }

// connect opens a pool on an empty database.
func connect(t *testing.T, addr string) *sql.DB {
	t.Helper()
	db, err := pool(addr, testPassword)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, table := range []string{"entries", "accounts", "types", "children", "parents"} {
		exec1(t, db, "DROP TABLE IF EXISTS "+table)
	}
	exec1(t, db, createEntries)
	return db
}

const createEntries = "CREATE TABLE IF NOT EXISTS `entries` (\n" +
	"  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,\n" +
	"  name VARCHAR(80) NOT NULL, -- who\n" +
	"  message TEXT NULL COMMENT 'what, if anything',\n" +
	"  created DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),\n" +
	"  PRIMARY KEY (id), UNIQUE KEY one_name (name), KEY by_time (created)\n" +
	") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

type execer interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}

func exec1(t *testing.T, db execer, query string, args ...any) sql.Result {
	t.Helper()
	r, err := db.ExecContext(deadline(t), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return r
}

type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// one reads the one value of a query.
func one[T any](t *testing.T, db querier, query string, args ...any) (v T) {
	t.Helper()
	if err := db.QueryRowContext(deadline(t), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func wantCode(t *testing.T, what string, err error, code uint16, state string) {
	t.Helper()
	var e *driver.MySQLError
	if !errors.As(err, &e) || e.Number != code || string(e.SQLState[:]) != state {
		t.Errorf("%s: %v, want error %d (%s)", what, err, code, state)
	}
}

var suite = map[string]func(*testing.T, *sql.DB){
	"RowsAreInsertedChangedAndDeleted":           rows,
	"NumbersOfNewRowsAreTold":                    numbers,
	"PreparedAndPlainStatementsReadTheSame":      protocols,
	"TextsAreQuotedInEveryWay":                   quoting,
	"ARollbackLeavesNothing":                     rollback,
	"ASavepointIsPartOfATransaction":             savepoints,
	"ALostConnectionRollsBack":                   lost,
	"TimesHaveTheDigitsOfTheirColumn":            digits,
	"NothingUncommittedIsSeenAndNobodyWaits":     isolation,
	"NoUpdateIsLost":                             concurrent,
	"WhatWasReadForUpdateIsStillTrueWhenWritten": readThenWrite,
	"ASecondWriterIsToldToTryAgain":              lockWait,
	"ErrorsHaveTheirNumbers":                     errorNumbers,
	"AnErrorDoesNotEndTheConnection":             errorGoesOn,
	"StrictTypesAreKept":                         strict,
	"ForeignKeysHold":                            foreignKeys,
	"DuplicatesAreIgnoredOrMerged":               duplicates,
	"TablesAreListedAndDescribed":                catalogue,
	"AReadOnlyTransactionWritesNothing":          readOnly,
	"AutocommitCanBeOff":                         autocommit,
	"AnAnswerOfManyRowsComesWhole":               manyRows,
	"AMegabyteComesBack":                         megabyte,
	"NullIsNoEmptyText":                          nulls,
	"TheTimeIsUTC":                               clock,
	"LettersOfEitherCaseAreEqual":                caseInsensitive,
	"SchemaChangesCommit":                        implicitCommit,
	"FunctionsOfASessionAreNamedAsTheyAreCalled": sessionFunctions,
}

func rows(t *testing.T, db *sql.DB) {
	exec1(t, db, "INSERT INTO entries (name, message) VALUES (?, ?), (?, ?)", "ann", "hello", "bob", nil)
	n, err := exec1(t, db, "UPDATE entries SET message = CONCAT(message, ?) WHERE name = ?", "!", "ann").RowsAffected()
	want(t, "updated", n, 1)
	want(t, "error", err, nil)
	want(t, "message", one[string](t, db, "SELECT message FROM guestbook.entries WHERE id = 1"), "hello!")
	want(t, "count", one[int](t, db, "SELECT COUNT(*) FROM entries WHERE message IS NULL"), 1)
	n, _ = exec1(t, db, "DELETE FROM entries WHERE name <> 'ann'").RowsAffected()
	want(t, "deleted", n, 1)
	want(t, "page", one[string](t, db, "SELECT name FROM entries ORDER BY id DESC LIMIT 0, 1"), "ann")
	exec1(t, db, "TRUNCATE TABLE entries")
	want(t, "left", one[int](t, db, "SELECT COUNT(*) FROM entries"), 0)
}

func numbers(t *testing.T, db *sql.DB) {
	first, _ := exec1(t, db, "INSERT INTO entries (name) VALUES ('a')").LastInsertId()
	want(t, "first", first, 1)
	r := exec1(t, db, "INSERT INTO entries (name) VALUES ('b'), ('c'), ('d')")
	of, _ := r.LastInsertId()
	n, _ := r.RowsAffected()
	want(t, "the first of three", of, 2)
	want(t, "affected", n, 3)
	exec1(t, db, "DELETE FROM entries")
	next, _ := exec1(t, db, "INSERT INTO entries (name) VALUES ('e')").LastInsertId()
	want(t, "a number is not given twice", next, 5)
}

func protocols(t *testing.T, db *sql.DB) {
	exec1(t, db, "CREATE TABLE types (i INT, big BIGINT, d DOUBLE, dec2 DECIMAL(10,2), s VARCHAR(20), b BLOB, dt DATETIME(3), day DATE, yes BOOLEAN)")
	at := time.Date(2026, 11, 25, 13, 14, 15, 123e6, time.UTC)
	day := time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)
	exec1(t, db, "INSERT INTO types VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", -7, int64(1)<<62, 0.25, "12.50", "ä\x00'\\", []byte{0, 1, 0xff}, at, day, true)
	type row struct {
		i, big int64
		d      float64
		dec, s string
		b      []byte
		dt     time.Time
		day    time.Time
		yes    bool
	}
	for protocol, args := range map[string][]any{"plain": nil, "prepared": {-7}} {
		query := "SELECT i, big, d, dec2, s, b, dt, day, yes FROM types WHERE i = -7"
		if args != nil {
			query = "SELECT i, big, d, dec2, s, b, dt, day, yes FROM types WHERE i = ?"
		}
		var r row
		if err := db.QueryRowContext(deadline(t), query, args...).Scan(&r.i, &r.big, &r.d, &r.dec, &r.s, &r.b, &r.dt, &r.day, &r.yes); err != nil {
			t.Fatalf("%s: %v", protocol, err)
		}
		if r.i != -7 || r.big != 1<<62 || r.d != 0.25 || r.dec != "12.50" || r.s != "ä\x00'\\" || !bytes.Equal(r.b, []byte{0, 1, 0xff}) || !r.dt.Equal(at) || !r.day.Equal(day) || !r.yes {
			t.Errorf("%s: %+v", protocol, r)
		}
	}
}

func digits(t *testing.T, db *sql.DB) {
	exec1(t, db, "CREATE TABLE types (id INT PRIMARY KEY, whole DATETIME, milli DATETIME(3), micro DATETIME(6))")
	exact := "2026-11-25 17:07:37.105884665"
	exec1(t, db, "INSERT INTO types VALUES (1, '"+exact[:22]+"', '"+exact[:26]+"', '"+exact[:26]+"')")
	day := "2026-11-25"
	exec1(t, db, "INSERT INTO types VALUES (2, ?, ?, ?)", day, day, day)
	for id, want := range map[int][]string{
		1: {"2026-11-25T17:07:37Z", "2026-11-25T17:07:37.106Z", "2026-11-25T17:07:37.105884Z"},
		2: {"2026-11-25T00:00:00Z", "2026-11-25T00:00:00Z", "2026-11-25T00:00:00Z"},
	} {
		for _, query := range []string{fmt.Sprint("SELECT whole, milli, micro FROM types WHERE id = ", id), "SELECT whole, milli, micro FROM types WHERE id = ?"} {
			args := []any{id}[:strings.Count(query, "?")]
			var got [3]time.Time
			if err := db.QueryRowContext(deadline(t), query, args...).Scan(&got[0], &got[1], &got[2]); err != nil {
				t.Fatal(err)
			}
			for i, g := range got { // MySQL rounds, MariaDB cuts
				if g.Format(time.RFC3339Nano) != want[i] && !(want[i] == "2026-11-25T17:07:37.106Z" && g.Format(time.RFC3339Nano) == "2026-11-25T17:07:37.105Z") {
					t.Errorf("%s: %v, want %v", query, g, want[i])
				}
			}
		}
	}
}

func quoting(t *testing.T, db *sql.DB) {
	for query, text := range map[string]string{
		`SELECT 'it''s'`:             "it's",
		`SELECT "say ""hi"""`:        `say "hi"`,
		`SELECT 'a\'b\\c\n\"%'`:      "a'b\\c\n\"%",
		`SELECT "it's"`:              "it's",
		"SELECT 'a' /* not 'b' */":   "a",
		"SELECT 'a' -- it's over\n;": "a",
		"SELECT 'a' # it's over":     "a",
		`SELECT '?'`:                 "?",
		`SELECT x'414243'`:           "ABC",
		`SELECT CONCAT('ä', "ß", 1)`: "äß1",
	} {
		want(t, query, one[string](t, db, query), text)
	}
	want(t, "placeholder", one[string](t, db, "SELECT CONCAT('?', ?)", "x'; DROP TABLE entries; --"), "?x'; DROP TABLE entries; --")
}

func rollback(t *testing.T, db *sql.DB) {
	tx, err := db.BeginTx(deadline(t), &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, tx, "INSERT INTO entries (name) VALUES ('ghost')")
	want(t, "within", one[int](t, tx, "SELECT COUNT(*) FROM entries"), 1)
	want(t, "error", tx.Rollback(), nil)
	want(t, "after", one[int](t, db, "SELECT COUNT(*) FROM entries"), 0)
}

func savepoints(t *testing.T, db *sql.DB) {
	tx, err := db.BeginTx(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, tx, "INSERT INTO entries (name) VALUES ('kept')")
	exec1(t, tx, "SAVEPOINT here")
	exec1(t, tx, "INSERT INTO entries (name) VALUES ('ghost')")
	exec1(t, tx, "ROLLBACK TO SAVEPOINT here")
	want(t, "error", tx.Commit(), nil)
	want(t, "kept", one[string](t, db, "SELECT GROUP_CONCAT(name) FROM entries"), "kept")
}

func lost(t *testing.T, db *sql.DB) {
	c, err := db.Conn(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, c, "BEGIN")
	exec1(t, c, "INSERT INTO entries (name) VALUES ('ghost')")
	if err := c.Raw(func(any) error { return errBad }); !errors.Is(err, errBad) { // which closes it
		t.Fatal(err)
	}
	c.Close()
	await.That(t, "the row is gone and the lock too", func() bool {
		_, err := db.ExecContext(deadline(t), "INSERT INTO entries (name) VALUES ('ghost')")
		return err == nil
	})
	want(t, "rows", one[int](t, db, "SELECT COUNT(*) FROM entries"), 1)
}

func isolation(t *testing.T, db *sql.DB) {
	exec1(t, db, "INSERT INTO entries (name) VALUES ('old')")
	tx, err := db.BeginTx(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	exec1(t, tx, "UPDATE entries SET name = 'new'")
	began := time.Now()
	want(t, "seen by others", one[string](t, db, "SELECT name FROM entries"), "old")
	if waited := time.Since(began); waited > 1900*time.Millisecond {
		t.Errorf("a reader waited %v for a writer", waited)
	}
	want(t, "error", tx.Commit(), nil)
	want(t, "seen afterwards", one[string](t, db, "SELECT name FROM entries"), "new")
}

func concurrent(t *testing.T, db *sql.DB) {
	exec1(t, db, "CREATE TABLE accounts (id INT PRIMARY KEY, n INT NOT NULL)")
	exec1(t, db, "INSERT INTO accounts VALUES (1, 0)")
	var wg sync.WaitGroup
	const writers, each = 8, 25
	for range writers {
		wg.Go(func() {
			for range each {
				tx, err := db.BeginTx(context.Background(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := tx.Exec("UPDATE accounts SET n = n + 1 WHERE id = ?", 1); err != nil {
					t.Error(err)
				}
				if err := tx.Commit(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want(t, "counter", one[int](t, db, "SELECT n FROM accounts"), writers*each)
}

func readThenWrite(t *testing.T, db *sql.DB) {
	exec1(t, db, "CREATE TABLE accounts (id INT PRIMARY KEY, n INT NOT NULL)")
	exec1(t, db, "INSERT INTO accounts VALUES (1, 0)")
	var wg sync.WaitGroup
	const writers, each = 6, 15
	for range writers {
		wg.Go(func() {
			for range each {
				tx, err := db.BeginTx(context.Background(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				if err := tx.QueryRow("SELECT n FROM accounts WHERE id = 1 FOR UPDATE").Scan(&n); err != nil {
					t.Error(err)
				}
				if _, err := tx.Exec("UPDATE accounts SET n = ?", n+1); err != nil {
					t.Error(err)
				}
				if err := tx.Commit(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want(t, "counter", one[int](t, db, "SELECT n FROM accounts"), writers*each)
}

func lockWait(t *testing.T, db *sql.DB) {
	exec1(t, db, "INSERT INTO entries (name) VALUES ('x')")
	tx, err := db.BeginTx(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	exec1(t, tx, "UPDATE entries SET message = 'mine'")
	_, err = db.ExecContext(deadline(t), "UPDATE entries SET message = 'theirs'")
	wantCode(t, "the second writer", err, 1205, "HY000")
}

func errorNumbers(t *testing.T, db *sql.DB) {
	exec1(t, db, "INSERT INTO entries (name) VALUES ('x')")
	for query, e := range map[string]driver.MySQLError{
		"INSERT INTO entries (name) VALUES ('x')":  {Number: 1062, SQLState: [5]byte([]byte("23000"))},
		"INSERT INTO entries (name) VALUES (NULL)": {Number: 1048, SQLState: [5]byte([]byte("23000"))},
		"INSERT INTO nothere (name) VALUES ('x')":  {Number: 1146, SQLState: [5]byte([]byte("42S02"))},
		"SELECT nothere FROM entries":              {Number: 1054, SQLState: [5]byte([]byte("42S22"))},
		"INSERT INTO entries (nothere) VALUES (1)": {Number: 1054, SQLState: [5]byte([]byte("42S22"))},
		"SELEC 1":                       {Number: 1064, SQLState: [5]byte([]byte("42000"))},
		"SELECT 1 FROM FROM entries":    {Number: 1064, SQLState: [5]byte([]byte("42000"))},
		"SELECT 'no end":                {Number: 1064, SQLState: [5]byte([]byte("42000"))},
		"CREATE TABLE entries (id INT)": {Number: 1050, SQLState: [5]byte([]byte("42S01"))},
		"SELECT 1; SELECT 2":            {Number: 1064, SQLState: [5]byte([]byte("42000"))},
		"SELECT @@nothere":              {Number: 1193, SQLState: [5]byte([]byte("HY000"))},
		"DESCRIBE nothere":              {Number: 1146, SQLState: [5]byte([]byte("42S02"))},
		"DROP TABLE nothere":            {Number: 1051, SQLState: [5]byte([]byte("42S02"))},
		"INSERT INTO entries (name) VALUES ('" + long + "')":  {Number: 1406, SQLState: [5]byte([]byte("22001"))},
		"INSERT INTO entries (id, name) VALUES ('four', 'y')": {Number: 1366, SQLState: [5]byte([]byte("22007"))},
	} {
		_, err := db.ExecContext(deadline(t), query)
		wantCode(t, query, err, e.Number, string(e.SQLState[:]))
	}
}

var long = strings.Repeat("x", 81)

func errorGoesOn(t *testing.T, db *sql.DB) {
	tx, err := db.BeginTx(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, tx, "INSERT INTO entries (name) VALUES ('x')")
	_, err = tx.ExecContext(deadline(t), "INSERT INTO entries (name) VALUES ('y'), ('x')")
	wantCode(t, "a statement fails as a whole", err, 1062, "23000")
	_, err = tx.ExecContext(deadline(t), "INSERT INTO entries (name) VALUES (?), (?)", "y", "x")
	wantCode(t, "a prepared one too", err, 1062, "23000")
	exec1(t, tx, "INSERT INTO entries (name) VALUES ('z')")
	want(t, "error", tx.Commit(), nil)
	want(t, "rows", one[string](t, db, "SELECT GROUP_CONCAT(name) FROM (SELECT name FROM entries ORDER BY name) sorted"), "x,z")
}

func strict(t *testing.T, db *sql.DB) {
	exec1(t, db, "CREATE TABLE types (n INT NOT NULL DEFAULT 7, s CHAR(3) DEFAULT 'abc', e ENUM('a','b') NOT NULL DEFAULT 'a')")
	exec1(t, db, "INSERT INTO types () VALUES ()")
	exec1(t, db, "INSERT INTO types (n) VALUES ('12')")
	want(t, "sum", one[int](t, db, "SELECT SUM(n) FROM types"), 19)
	want(t, "defaults", one[string](t, db, "SELECT CONCAT(s, e) FROM types LIMIT 1"), "abca")
	_, err := db.ExecContext(deadline(t), "INSERT INTO types (e) VALUES ('c')")
	wantCode(t, "no value of the enumeration", err, 1265, "01000")
}

func foreignKeys(t *testing.T, db *sql.DB) {
	exec1(t, db, "CREATE TABLE parents (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20))")
	exec1(t, db, "CREATE TABLE children (id INT PRIMARY KEY, parent BIGINT UNSIGNED, CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE CASCADE)")
	exec1(t, db, "INSERT INTO parents (name) VALUES ('p')")
	exec1(t, db, "INSERT INTO children VALUES (1, 1)")
	_, err := db.ExecContext(deadline(t), "INSERT INTO children VALUES (2, 99)")
	wantCode(t, "a child of nobody", err, 1452, "23000")
	exec1(t, db, "DELETE FROM parents")
	want(t, "children", one[int](t, db, "SELECT COUNT(*) FROM children"), 0)
}

func duplicates(t *testing.T, db *sql.DB) {
	exec1(t, db, "INSERT INTO entries (name, message) VALUES ('x', '1')")
	n, _ := exec1(t, db, "INSERT IGNORE INTO entries (name) VALUES ('x')").RowsAffected()
	want(t, "ignored", n, 0)
	exec1(t, db, "INSERT INTO entries (name, message) VALUES ('x', '2') ON DUPLICATE KEY UPDATE message = CONCAT(message, VALUES(message))")
	want(t, "merged", one[string](t, db, "SELECT message FROM entries"), "12")
	exec1(t, db, "REPLACE INTO entries (name, message) VALUES ('x', '3')")
	want(t, "replaced", one[string](t, db, "SELECT message FROM entries"), "3")
}

func catalogue(t *testing.T, db *sql.DB) {
	want(t, "tables", one[string](t, db, "SHOW TABLES LIKE 'entr%'"), "entries")
	want(t, "database", one[string](t, db, "SELECT DATABASE()"), testDatabase)
	var field, kind, null, key string
	var byDefault sql.NullString
	var extra string
	if err := db.QueryRowContext(deadline(t), "DESCRIBE entries").Scan(&field, &kind, &null, &key, &byDefault, &extra); err != nil {
		t.Fatal(err)
	}
	want(t, "first column", field+" "+null+" "+key, "id NO PRI")
	var variable, value string
	if err := db.QueryRowContext(deadline(t), "SHOW VARIABLES LIKE 'max_allowed_packet'").Scan(&variable, &value); err != nil {
		t.Fatal(err)
	}
	want(t, "variable", value, "16777216")
	want(t, "has a host", one[string](t, db, "SELECT @@hostname") != "", true)
	exec1(t, db, "USE "+testDatabase)
	_, err := db.ExecContext(deadline(t), "USE elsewhere")
	var e *driver.MySQLError
	if !errors.As(err, &e) || e.Number != 1049 && e.Number != 1044 {
		t.Errorf("another database: %v", err)
	}
}

func readOnly(t *testing.T, db *sql.DB) {
	tx, err := db.BeginTx(deadline(t), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "count", one[int](t, tx, "SELECT COUNT(*) FROM entries"), 0)
	_, err = tx.ExecContext(deadline(t), "INSERT INTO entries (name) VALUES ('x')")
	wantCode(t, "a write", err, 1792, "25006")
	want(t, "error", tx.Rollback(), nil)
	exec1(t, db, "INSERT INTO entries (name) VALUES ('x')")
}

func autocommit(t *testing.T, db *sql.DB) {
	c, err := db.Conn(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	exec1(t, c, "SET autocommit = 0")
	exec1(t, c, "INSERT INTO entries (name) VALUES ('x')")
	want(t, "seen by others", one[int](t, db, "SELECT COUNT(*) FROM entries"), 0)
	exec1(t, c, "ROLLBACK")
	exec1(t, c, "INSERT INTO entries (name) VALUES ('y')")
	exec1(t, c, "COMMIT")
	exec1(t, c, "SET @@autocommit = ON")
	want(t, "kept", one[string](t, db, "SELECT name FROM entries"), "y")
}

func manyRows(t *testing.T, db *sql.DB) {
	tx, err := db.BeginTx(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := tx.PrepareContext(deadline(t), "INSERT INTO entries (name) VALUES (?)")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		if _, err := st.Exec(fmt.Sprint("n", i)); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "error", tx.Commit(), nil)
	found, err := db.QueryContext(deadline(t), "SELECT id, name FROM entries ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	n := 0
	for found.Next() {
		var id int
		var name string
		if err := found.Scan(&id, &name); err != nil || name != fmt.Sprint("n", n) {
			t.Fatalf("row %d: %q, %v", n, name, err)
		}
		n++
	}
	want(t, "rows", n, 2000)
	want(t, "error", found.Err(), nil)
}

func megabyte(t *testing.T, db *sql.DB) {
	exec1(t, db, "CREATE TABLE types (b MEDIUMTEXT)")
	value := strings.Repeat("\r\n\"'\\é", 1<<20/7)
	exec1(t, db, "INSERT INTO types VALUES (?)", value)
	want(t, "is equal", one[string](t, db, "SELECT b FROM types") == value, true)
	want(t, "characters", one[int](t, db, "SELECT CHAR_LENGTH(b) FROM types"), 6*(1<<20/7))
	want(t, "bytes", one[int](t, db, "SELECT LENGTH(b) FROM types"), len(value))
}

func nulls(t *testing.T, db *sql.DB) {
	exec1(t, db, "INSERT INTO entries (name, message) VALUES ('a', NULL), ('b', '')")
	want(t, "null", one[sql.NullString](t, db, "SELECT message FROM entries WHERE name = ?", "a").Valid, false)
	want(t, "empty", one[sql.NullString](t, db, "SELECT message FROM entries WHERE name = ?", "b").Valid, true)
	want(t, "compared", one[int](t, db, "SELECT COUNT(*) FROM entries WHERE message <=> NULL"), 1)
	want(t, "default", one[string](t, db, "SELECT IFNULL(MAX(message), 'none') FROM entries WHERE name = 'a'"), "none")
}

func clock(t *testing.T, db *sql.DB) {
	exec1(t, db, "INSERT INTO entries (name) VALUES ('x')")
	for _, query := range []string{"SELECT created FROM entries", "SELECT created FROM entries WHERE name = ?"} {
		args := []any{"x"}[:strings.Count(query, "?")]
		if off := time.Since(one[time.Time](t, db, query, args...)).Abs(); off > 5*time.Second {
			t.Errorf("%s: the clock is %v off", query, off)
		}
	}
}

func caseInsensitive(t *testing.T, db *sql.DB) {
	exec1(t, db, "CREATE TABLE types (loose VARCHAR(20), exact VARCHAR(20) COLLATE utf8mb4_bin)")
	exec1(t, db, "INSERT INTO types VALUES ('Ann', 'Ann')")
	want(t, "loose", one[int](t, db, "SELECT COUNT(*) FROM types WHERE loose = ?", "aNN"), 1)
	want(t, "exact", one[int](t, db, "SELECT COUNT(*) FROM types WHERE exact = ?", "aNN"), 0)
}

func implicitCommit(t *testing.T, db *sql.DB) {
	c, err := db.Conn(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	exec1(t, c, "BEGIN")
	exec1(t, c, "INSERT INTO entries (name) VALUES ('x')")
	exec1(t, c, "CREATE TABLE types (n INT)")
	exec1(t, c, "ROLLBACK")
	want(t, "kept", one[int](t, db, "SELECT COUNT(*) FROM entries"), 1)
}

func sessionFunctions(t *testing.T, db *sql.DB) {
	c, err := db.Conn(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	exec1(t, c, "INSERT INTO entries (name) VALUES ('x'), ('y')")
	found, err := c.QueryContext(deadline(t), "SELECT LAST_INSERT_ID(), COUNT(*), @@max_allowed_packet, 1 + 1, CONNECTION_ID(), name n FROM entries")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	columns, err := found.Columns()
	want(t, "error", err, nil)
	want(t, "columns", strings.Join(columns, "|"), "LAST_INSERT_ID()|COUNT(*)|@@max_allowed_packet|1 + 1|CONNECTION_ID()|n")
	if !found.Next() {
		t.Fatal(found.Err())
	}
	var last, count, packet, sum, id int
	var name string
	if err := found.Scan(&last, &count, &packet, &sum, &id, &name); err != nil || last != 1 || count != 2 || packet != 16<<20 || sum != 2 || id < 1 {
		t.Errorf("%d %d %d %d %d, %v", last, count, packet, sum, id, err)
	}
}

func wrongLogin(t *testing.T, addr string) {
	db, err := pool(addr, "wrong")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wantCode(t, "a wrong password", db.PingContext(deadline(t)), 1045, "28000")
}

func commandLine(t *testing.T, addr string) {
	program, err := exec.LookPath("mariadb")
	if err != nil {
		t.Skip("SKIPPED: mariadb is not installed, so the command-line client is NOT tried here")
	}
	host, port, _ := net.SplitHostPort(addr)
	cmd := exec.CommandContext(deadline(t), program, "--no-defaults", "-h", host, "-P", port, "-u", testUser, "--table", testDatabase)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+testPassword)
	cmd.Stdin = strings.NewReader("DROP TABLE IF EXISTS types;\nCREATE TABLE types (id INT PRIMARY KEY, s VARCHAR(10));\n" +
		"INSERT INTO types VALUES (1, 'it''s'), (2, NULL);\nBEGIN;\nDELETE FROM types;\nROLLBACK;\nSHOW TABLES;\nSELECT * FROM types;\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "it's") || !strings.Contains(string(out), "NULL") || !strings.Contains(string(out), "| types") {
		t.Errorf("%v\n%s", err, out)
	}
}
