package mysql

import (
	"bufio"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// errBad makes database/sql close a connection.
var errBad = sqldriver.ErrBadConn

// running is a server of this package.
type running struct {
	data, admin string
	stop        func()
}

// start runs the program as its main would, and stops it with the test.
func start(t *testing.T, environ map[string]string) running {
	t.Helper()
	cfg := processtest.Parse[Config](t, Program, environ)
	p := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return running{data: p.Data, admin: p.Admin, stop: func() {
		t.Helper()
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}}
}

// open opens a pool for the user root without a password.
func open(t *testing.T, addr string) *sql.DB {
	t.Helper()
	cfg := driver.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.DBName, cfg.Logger = "tcp", addr, "root", "flotilla", &driver.NopLogger{}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestItIsReadyAndCounts(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	want(t, "one", one[int](t, open(t, r.data), "SELECT 1"), 1)
	if status, body := get(t, "http://"+r.admin+"/readyz"); status != http.StatusOK {
		t.Errorf("not ready: %s", body)
	}
	_, body := get(t, "http://"+r.admin+"/metrics")
	for _, line := range []string{"mysql_connected_clients 1", "mysql_connections_total 1", `mysql_statements_total{outcome="ok"} 1`} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
}

func TestDataSurvivesInItsFolderAndIsSharedThere(t *testing.T) {
	t.Parallel()
	env := map[string]string{"MYSQL_DATA_DIR": t.TempDir()}
	a := start(t, env)
	db := open(t, a.data)
	exec1(t, db, "CREATE TABLE t (n INT)")
	b := start(t, env)
	exec1(t, db, "INSERT INTO t VALUES (41)")
	exec1(t, open(t, b.data), "UPDATE t SET n = n + 1")
	want(t, "of both", one[int](t, db, "SELECT n FROM t"), 42)
	db.Close()
	a.stop()
	c := start(t, env)
	want(t, "after a restart", one[int](t, open(t, c.data), "SELECT n FROM t"), 42)
}

func TestTooManyClientsAreToldSo(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"MYSQL_MAX_CLIENTS": "1"})
	want(t, "one", one[int](t, open(t, r.data), "SELECT 1"), 1)
	var e *driver.MySQLError
	if err := open(t, r.data).PingContext(deadline(t)); !errors.As(err, &e) || e.Number != 1040 {
		t.Errorf("the second client is told %v", err)
	}
}

func TestAFullDatabaseRefusesWritesAndServesReads(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"MYSQL_MAX_SIZE": "1MiB"})
	db := open(t, r.data)
	exec1(t, db, "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, b MEDIUMTEXT)")
	value := strings.Repeat("x", 100<<10)
	await.That(t, "it was full", func() bool {
		_, err := db.ExecContext(deadline(t), "INSERT INTO t (b) VALUES (?)", value)
		var e *driver.MySQLError
		return errors.As(err, &e) && e.Number == 1114
	})
	want(t, "a read", len(one[string](t, db, "SELECT b FROM t LIMIT 1")), len(value))
	exec1(t, db, "DELETE FROM t")
	exec1(t, db, "INSERT INTO t (b) VALUES (?)", value)
}

func TestALongStatementIsEndedAndTheSessionGoesOn(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"MYSQL_MAX_STATEMENT_TIME": "200ms"})
	db := open(t, r.data)
	db.SetMaxOpenConns(1)
	for _, query := range []string{"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n", "SELECT SLEEP(10)"} {
		began := time.Now()
		_, err := db.ExecContext(deadline(t), query)
		wantCode(t, query, err, 3024, "HY000")
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s took %v", query, took)
		}
		want(t, "afterwards", one[int](t, db, "SELECT CONNECTION_ID() > 0"), 1)
	}
}

func TestAnAnswerThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"MYSQL_MAX_RESULT": "64KiB"})
	_, err := open(t, r.data).ExecContext(deadline(t), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
	wantCode(t, "an endless answer", err, 1041, "HY000")
}

func TestATooLargeStatementEndsOneClient(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"MYSQL_MAX_PACKET": "64KiB"})
	db := open(t, r.data)
	if _, err := db.ExecContext(deadline(t), "SELECT '"+strings.Repeat("x", 100<<10)+"'"); err == nil {
		t.Error("it was let through")
	}
	want(t, "others", one[int](t, open(t, r.data), "SELECT 1"), 1)
}

// What a client sends before it has logged in reaches a library that trusts it.
func TestMalformedPacketsEndOneClient(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	db := open(t, r.data)
	want(t, "before", one[int](t, db, "SELECT 1"), 1)
	for _, packet := range []string{
		"\x00\x00\x00\x01", "\x01\x00\x00\x01\x00", "\xff\xff\xff\x01", "\x05\x00\x00\x07abcde", "GET / HTTP/1.1\r\n\r\n",
		"\x22\x00\x00\x01\x85\xa6\xff\x01\x00\x00\x00\x01\x2d" + strings.Repeat("\x00", 23) + "ab",
		"\x24\x00\x00\x01\x85\xa6\xff\x01\x00\x00\x00\x01\x2d" + strings.Repeat("\x00", 23) + "a\x00\xff\xff",
	} {
		conn, err := net.Dial("tcp", r.data)
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		if _, err := in.Peek(5); err != nil { // the greeting
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, packet); err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).CloseWrite()
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, in); err != nil && errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%q holds its connection", packet)
		}
		conn.Close()
	}
	want(t, "afterwards", one[int](t, db, "SELECT 1"), 1)
}

func TestAStrangerIsDeniedWithoutAPassword(t *testing.T) {
	t.Parallel()
	s := &server{cfg: Config{Protected: true}}
	stranger, local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	want(t, "a stranger", s.denied(stranger), true)
	want(t, "loopback", s.denied(local), false)
	s.password = "there is one"
	want(t, "a stranger, with a password", s.denied(stranger), false)
}

func TestAnEndWaitsForAStatementAndNotForAnIdleClient(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	idle, busy := open(t, r.data), open(t, r.data)
	want(t, "idle", one[int](t, idle, "SELECT 1"), 1)
	want(t, "busy", one[int](t, busy, "SELECT 1"), 1)
	answered := make(chan error, 1)
	go func() {
		_, err := busy.Exec("SELECT SLEEP(0.5)")
		answered <- err
	}()
	await.That(t, "the statement runs", func() bool {
		_, body := get(t, "http://"+r.admin+"/metrics")
		return strings.Contains(body, "mysql_running_statements 1\n")
	})
	r.stop()
	if err := <-answered; err != nil {
		t.Errorf("the statement that ran: %v", err)
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	t.Parallel()
	cfg, err := process.Parse[Config](Program, map[string]string{
		"MYSQL_DATABASE": "../x", "MYSQL_MAX_CLIENTS": "0", "MYSQL_MAX_PACKET": "1B", "MYSQL_MAX_SIZE": "1KiB", "MYSQL_MAX_RESULT": "1B",
		"MYSQL_MAX_STATEMENT_TIME": "0s", "MYSQL_WAIT_TIMEOUT": "0s",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(context.Background(), cfg)
	for _, name := range []string{
		"MYSQL_DATABASE", "MYSQL_MAX_CLIENTS", "MYSQL_MAX_PACKET", "MYSQL_MAX_SIZE", "MYSQL_MAX_RESULT", "MYSQL_MAX_STATEMENT_TIME", "MYSQL_WAIT_TIMEOUT",
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}
