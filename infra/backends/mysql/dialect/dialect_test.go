package dialect

import (
	"errors"
	"strings"
	"testing"
)

func session() Session {
	return Session{
		Database: "shop", User: "ann", Connection: 7, LastInsert: 42,
		Variables: map[string]string{"version": "8.0.36", "autocommit": "1"}, Status: map[string]string{"Uptime": "5"},
	}
}

func TestStatementsAreSaidInSQLite(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"SELECT * FROM shop.t FOR UPDATE":     "SELECT * FROM main.t",
		"select `a``b` from `shop`.`t`;":      "select `a``b` from main.`t`",
		"SELECT t.shop FROM t":                "SELECT t.shop FROM t",
		`SELECT "it's", 'a\'b'`:               `SELECT 'it''s', 'a''b'`,
		"SELECT 0xff, x'4'":                   "SELECT x'ff', x'04'",
		"SELECT 1--1":                         "SELECT 1--1",
		"SELECT 1 -- one\n+ 1":                "SELECT 1 + 1",
		"SELECT /*!40001 SQL_NO_CACHE */ 1":   "SELECT SQL_NO_CACHE 1",
		"SELECT a || b && !c":                 "SELECT a  OR  b  AND   NOT c",
		"SELECT a <=> NULL":                   "SELECT a  IS  NULL",
		"SELECT 'a\\0b'":                      "SELECT CAST(x'610062' AS TEXT)",
		"SELECT @@version":                    "SELECT '8.0.36' AS `@@version`",
		"SELECT @@SESSION.autocommit, 2":      "SELECT 1 AS `@@SESSION.autocommit`, 2",
		"SELECT LAST_INSERT_ID() + 1":         "SELECT 42 + 1",
		"SELECT database()":                   "SELECT 'shop' AS `database()`",
		"SELECT CHAR_LENGTH(s), LENGTH(s)":    "SELECT length(s), octet_length(s)",
		"SELECT length FROM t":                "SELECT length FROM t",
		"SELECT _utf8mb4'x'":                  "SELECT'x'",
		"INSERT IGNORE INTO t VALUES (?)":     "INSERT OR IGNORE INTO t VALUES (?)",
		"INSERT INTO t () VALUES ()":          "INSERT INTO t DEFAULT VALUES",
		"DELETE FROM t WHERE a='b' LIMIT 1":   "DELETE FROM t WHERE a='b' LIMIT 1",
		"UPDATE t SET c = CURRENT_TIMESTAMP(": "UPDATE t SET c = now(",
		"INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE n = n + VALUES(n)": "INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET n = n + excluded.n",
		"TRUNCATE TABLE shop.t":   "DELETE FROM t",
		"DROP INDEX i ON t":       "DROP INDEX i",
		"ROLLBACK TO SAVEPOINT s": "ROLLBACK TO SAVEPOINT s",
	} {
		st, err := Parse(source, session())
		if err != nil || len(st.SQL) != 1 || st.SQL[0] != want {
			t.Errorf("%s\n is  %q, %v\nwant %q", source, st.SQL, err, want)
		}
	}
}

func TestATableIsCreatedWithWhatItsTypesMean(t *testing.T) {
	t.Parallel()
	st, err := Parse("CREATE TABLE IF NOT EXISTS shop.t (id INT UNSIGNED NOT NULL AUTO_INCREMENT, `name` VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT 'x' COMMENT 'a, b', "+
		"n INT(11) NULL DEFAULT -1, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (`id`), UNIQUE KEY u (`name`), INDEX i (n, at)) ENGINE=InnoDB AUTO_INCREMENT=7 COMMENT='x'", session())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CREATE TABLE IF NOT EXISTS main.t (id INTEGER PRIMARY KEY AUTOINCREMENT, " +
			"`name` VARCHAR(8) CONSTRAINT `length of name` CHECK (length(`name`) <= 8) NOT NULL DEFAULT ('x'), " +
			"n INT(11) CONSTRAINT `integer of n` CHECK (typeof(`n`) IN ('integer', 'null')) NULL DEFAULT (-1), " +
			"at TIMESTAMP(0) DEFAULT (now()), UNIQUE (`name`))",
		"CREATE INDEX IF NOT EXISTS `t_i` ON t (n, at)",
	}
	if got := strings.Join(st.SQL, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("is\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestKindsAreTold(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]Kind{
		"SET NAMES utf8mb4": Nothing, "SET autocommit=0": AutocommitOff, "SET @@session.autocommit = ON": AutocommitOn,
		"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED": Nothing, "BEGIN": Begin, "START TRANSACTION": Begin,
		"START TRANSACTION READ ONLY": BeginReadOnly, "COMMIT WORK": Commit, "ROLLBACK": Rollback, "USE shop": Use,
		"LOCK TABLES t WRITE": Nothing, "SHOW TABLES": Query, "DESC t": Query, "WITH a AS (SELECT 1) SELECT * FROM a": Query,
		"(SELECT 1)": Query, "CREATE DATABASE IF NOT EXISTS shop": Nothing, "ALTER TABLE t ADD COLUMN n INT": Define, "SAVEPOINT a": Change,
	} {
		if st, err := Parse(source, session()); err != nil || st.Kind != want {
			t.Errorf("%s: %v, %v, want %v", source, st.Kind, err, want)
		}
	}
}

// SQLite has statements that reach files, or change how it works.
func TestWhatIsNoneOfMySQLsIsRefused(t *testing.T) {
	t.Parallel()
	for source, code := range map[string]uint16{
		"": 1064, " /* nothing */ ": 1064, ";": 1064, "ATTACH 'x' AS y": 1064, "PRAGMA journal_mode=off": 1064, "VACUUM INTO 'x'": 1064,
		"DETACH main": 1064, "EXPLAIN SELECT 1": 1064, "SELECT 1; DROP TABLE t": 1064, "SELECT /* open": 1064, "SELECT `a": 1064, "SELECT x'zz'": 1064,
		"CREATE TABLE t AS SELECT 1": 1064, "CREATE TABLE t (": 1064, "CREATE TABLE t (a INT,,b INT)": 1064, "CREATE TABLE t (a INT DEFAULT (1)": 1064,
		"CREATE TABLE t (a TEXT, FULLTEXT KEY (a))": 1235, "CREATE TABLE t (a DATETIME ON UPDATE CURRENT_TIMESTAMP)": 1235,
		"CREATE TRIGGER x": 1235, "CREATE DATABASE other": 1235, "DROP DATABASE shop": 1235, "SHOW MASTER STATUS": 1235,
		"SELECT @@none": 1193, "SELECT @user_variable": 1193,
	} {
		_, err := Parse(source, session())
		var e *Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%q: %v, want %d", source, err, code)
		}
	}
}

func TestPlaceholdersAreCounted(t *testing.T) {
	t.Parallel()
	st, err := Parse("SELECT ?, '?', `?`, ? /* ? */ FROM t WHERE a = ? -- ?", session())
	if err != nil || st.Params != 3 {
		t.Errorf("%d, %v", st.Params, err)
	}
}

// Whatever comes, a statement is refused with a number or has a meaning that
// does not begin with a word of SQLite alone.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"SELECT `a``b`, 'it''s\\n', 0xff, x'00', @@version FROM shop.t WHERE a <=> ? LIMIT 1 FOR UPDATE", "CREATE TABLE t (a INT DEFAULT -1, KEY (a))",
		"INSERT INTO t () VALUES ()", "SHOW VARIABLES LIKE 'a'", "USER()", "CREATE TABLE t (a INT DEFAULT USER())", "VALUES (1)", "/*!1 SELECT*/ 1", "(", "SELECT 1e",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		st, err := Parse(source, session())
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || e.Code == 0 || e.Message == "" {
				t.Errorf("%q: the error is %v", source, err)
			}
			return
		}
		for _, sql := range st.SQL {
			first, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(sql)), " ")
			for _, no := range []string{"ATTACH", "DETACH", "PRAGMA", "VACUUM", "EXPLAIN"} {
				if first == no {
					t.Errorf("%q becomes %q", source, sql)
				}
			}
		}
	})
}
