package dbhealth

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// server is a real database in a process of its own.
type server struct {
	t      *testing.T
	engine Engine
	addr   string
	dir    string
	start  func() *exec.Cmd
	cmd    *exec.Cmd
	log    *os.File
}

func find(t *testing.T, program, alternative string) string {
	t.Helper()
	return realserver.Find(t, program, "dbhealth is NOT tried on it here", alternative)
}

func newServer(t *testing.T, engine Engine) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "db-") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, engine: engine, dir: dir, addr: nettest.Refuse(t)}
	if s.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stop()
		s.log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(s.log.Name())
			t.Logf("%s", text[max(0, len(text)-3000):])
		}
		os.RemoveAll(dir)
	})
	return s
}

func (s *server) run(cmd *exec.Cmd) {
	s.t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

func (s *server) up() {
	s.t.Helper()
	s.cmd = s.start()
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	admin := s.admin()
	defer admin.Close()
	await.That(s.t, "the server answers", func() bool { return admin.Ping() == nil })
}

func (s *server) stop() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill()
	s.cmd.Wait()
	s.cmd = nil
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// admin opens a pool for the administrator.
func (s *server) admin() *sql.DB {
	s.t.Helper()
	if s.engine == Postgres {
		c, err := pgx.ParseConfig("postgres://admin:" + secret + "@" + s.addr + "/postgres?sslmode=disable")
		if err != nil {
			s.t.Fatal(err)
		}
		return stdlib.OpenDB(*c)
	}
	var d net.Dialer
	db, err := openMySQL(Config{Address: s.addr, User: "admin", Database: "mysql"}, secret, d.DialContext)
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

func (s *server) exec(statements ...string) {
	s.t.Helper()
	db := s.admin()
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, st := range statements {
		if _, err := db.Exec(st); err != nil {
			s.t.Fatalf("%s: %v", st, err)
		}
	}
}

func mariaDB(t *testing.T, options ...string) *server {
	t.Helper()
	program := find(t, "mariadbd", "/usr/sbin/mariadbd")
	s := newServer(t, MySQL)
	data, init := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "init.sql")
	install := exec.Command("mariadb-install-db", "--no-defaults", "--datadir="+data, "--skip-test-db", "--user=root")
	install.Env = append(os.Environ(), "TMPDIR="+s.dir) // its temporary tables meet those of others elsewhere
	s.run(install)
	sql := "CREATE USER IF NOT EXISTS admin@'%' IDENTIFIED BY '" + secret + "';\nGRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;\n" +
		"CREATE DATABASE IF NOT EXISTS app;\nCREATE USER IF NOT EXISTS probe@'%' IDENTIFIED BY '" + secret + "';\nGRANT SELECT ON app.* TO probe@'%';\n" +
		"GRANT REPLICA MONITOR ON *.* TO probe@'%';\n"
	if err := os.WriteFile(init, []byte(sql), 0o644); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(s.addr)
	s.start = func() *exec.Cmd {
		return exec.Command(program, append([]string{"--no-defaults", "--datadir=" + data, "--bind-address=127.0.0.1", "--port=" + port, "--socket=" + s.dir + "/s",
			"--pid-file=" + s.dir + "/pid", "--init-file=" + init, "--user=root", "--tmpdir=" + s.dir, "--innodb-buffer-pool-size=16M", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"}, options...)...)
	}
	s.up()
	return s
}

func postgres(t *testing.T, options ...string) *server {
	t.Helper()
	const bin = "/usr/lib/postgresql/15/bin/"
	initdb, program := find(t, "initdb", bin+"initdb"), find(t, "postgres", bin+"postgres")
	s := newServer(t, Postgres)
	account := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Dir = s.dir
		if os.Getuid() == 0 { // as which it refuses to run
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		return cmd
	}
	if os.Getuid() == 0 {
		if err := os.Chown(s.dir, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	data, password := filepath.Join(s.dir, "data"), filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(secret+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.run(account(exec.Command(initdb, "-D", data, "-U", "admin", "-A", "scram-sha-256", "--pwfile="+password, "--no-sync")))
	_, port, _ := net.SplitHostPort(s.addr)
	s.start = func() *exec.Cmd {
		return account(exec.Command(program, append([]string{"-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-k", s.dir, "-c", "fsync=off"}, options...)...))
	}
	s.up()
	s.exec("CREATE ROLE probe LOGIN PASSWORD '"+secret+"'", "CREATE DATABASE app")
	return s
}

// watch starts dbhealth beside the server.
func (s *server) watch(environ map[string]string) (url string) {
	s.t.Helper()
	password := filepath.Join(s.t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(secret+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	env := map[string]string{"DBHEALTH_ENGINE": string(s.engine), "DBHEALTH_ADDRESS": s.addr, "DBHEALTH_DATABASE": "app", "DBHEALTH_PASSWORD_FILE": password}
	for k, v := range environ {
		env[k] = v
	}
	url, _ = start(s.t, env)
	return url
}

// ready demands an answer of /database/readyz, in time.
func ready(t *testing.T, url string, want Reason) Report {
	t.Helper()
	began := time.Now()
	code, r := probe(t, url+"/database/readyz")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the probe took %v", took)
	}
	if r.Reason != want || r.Ready != (want == OK) || (code == 200) != r.Ready {
		t.Errorf("%d %+v, want %s", code, r, want)
	}
	return r
}

// both runs a test on either engine.
func both(t *testing.T, options map[Engine][]string, test func(t *testing.T, s *server)) {
	t.Run("MariaDB", func(t *testing.T) { test(t, mariaDB(t, options[MySQL]...)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, postgres(t, options[Postgres]...)) })
}

func TestRealDatabasesAreReadyAndExpectationsAreHeld(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, s *server) {
		r := ready(t, s.watch(nil), OK)
		if r.Version == "" || r.Rows != 1 || r.Pulse != Speaks || !r.Live {
			t.Errorf("%+v", r)
		}
		three := "SELECT 'a' UNION ALL SELECT 'b' UNION ALL SELECT 'c' ORDER BY 1"
		ready(t, s.watch(map[string]string{"DBHEALTH_QUERY": three, "DBHEALTH_VALUE": "a", "DBHEALTH_MIN_ROWS": "3", "DBHEALTH_MAX_ROWS": "3"}), OK)
		ready(t, s.watch(map[string]string{"DBHEALTH_QUERY": three, "DBHEALTH_VALUE": "b"}), Value)
		ready(t, s.watch(map[string]string{"DBHEALTH_QUERY": three, "DBHEALTH_MAX_ROWS": "2"}), Rows)
		ready(t, s.watch(map[string]string{"DBHEALTH_QUERY": three, "DBHEALTH_MIN_ROWS": "4"}), Rows)
		ready(t, s.watch(map[string]string{"DBHEALTH_QUERY": "SELECT 42", "DBHEALTH_VALUE": "42", "DBHEALTH_MAX_LAG": "1s"}), OK) // a primary lags behind nobody
		ready(t, s.watch(map[string]string{"DBHEALTH_QUERY": "SELECT * FROM nowhere"}), QueryFailed)
		ready(t, s.watch(map[string]string{"DBHEALTH_QUERY": "this is no SQL"}), QueryFailed)
		ready(t, s.watch(map[string]string{"DBHEALTH_USER": "nobody"}), LoginRefused)
		if s.engine == Postgres {
			ready(t, s.watch(map[string]string{"DBHEALTH_DATABASE": "nowhere"}), NoDatabase)
			ready(t, s.watch(map[string]string{"DBHEALTH_QUERY": "SELECT", "DBHEALTH_VALUE": "a"}), Value) // a row without columns
			ready(t, s.watch(map[string]string{"DBHEALTH_QUERY": "SELECT 'a'; SELECT 1/0", "DBHEALTH_VALUE": "a"}), QueryFailed)
		}
	})
}

// A wrong password is an operator's mistake: a restart of the database would not
// mend it.
func TestAWrongPasswordOfARealDatabaseIsNoReasonForARestart(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, s *server) {
		wrong := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(wrong, []byte("not-"+secret), 0o600); err != nil {
			t.Fatal(err)
		}
		url := s.watch(map[string]string{"DBHEALTH_PASSWORD_FILE": wrong, "DBHEALTH_HANG_LIMIT": "1s", "DBHEALTH_STOP_LIMIT": "1s"})
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			r := ready(t, url, LoginRefused)
			if code, _ := probe(t, url+"/database/livez"); code != 200 || !strings.Contains(r.Detail, "DBHEALTH_PASSWORD_FILE") {
				t.Fatalf("%d %+v", code, r)
			}
		}
		if err := os.WriteFile(wrong, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		ready(t, url, OK) // the file is read again
	})
}

func TestARealDatabaseThatHangsIsNotReadyAtOnceAndDeadWhenItLasts(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, s *server) {
		url := s.watch(map[string]string{"DBHEALTH_TIMEOUT": "500ms", "DBHEALTH_HANG_LIMIT": "3s"})
		ready(t, url, OK)
		s.signal(syscall.SIGSTOP)
		stopped := time.Now()
		ready(t, url, NoAnswer)
		if code, r := probe(t, url+"/database/livez"); code != 200 {
			t.Errorf("%v after the stop: %d %+v", time.Since(stopped), code, r)
		}
		await.That(t, "it is dead", func() bool { code, _ := probe(t, url+"/database/livez"); return code == 503 })
		if took := time.Since(stopped); took < 2900*time.Millisecond || took > 10*time.Second {
			t.Errorf("it was taken for dead after %v", took)
		}
		s.signal(syscall.SIGCONT)
		await.That(t, "it is alive and ready", func() bool { code, _ := probe(t, url+"/v1/health"); return code == 200 })
	})
}

func TestARealDatabaseThatIsKilledIsAliveUntilItHasHadItsTime(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, s *server) {
		url := s.watch(map[string]string{"DBHEALTH_STOP_LIMIT": "2s"})
		ready(t, url, OK)
		s.stop()
		ready(t, url, Refused)
		if code, r := probe(t, url+"/database/livez"); code != 200 {
			t.Errorf("%d %+v", code, r)
		}
		await.That(t, "it is dead", func() bool { code, _ := probe(t, url+"/database/livez"); return code == 503 })
		s.up()
		await.That(t, "it is alive and ready", func() bool { code, _ := probe(t, url+"/v1/health"); return code == 200 })
	})
}

func TestARealDatabaseWithTooManyConnectionsIsAlive(t *testing.T) {
	t.Parallel()
	options := map[Engine][]string{
		MySQL:    {"--max-connections=10"},
		Postgres: {"-c", "max_connections=8", "-c", "superuser_reserved_connections=1"},
	}
	both(t, options, func(t *testing.T, s *server) {
		url := s.watch(map[string]string{"DBHEALTH_HANG_LIMIT": "1s"})
		ready(t, url, OK)
		crowd := s.admin()
		defer crowd.Close()
		var held []*sql.Conn
		for range 12 { // until it has enough
			c, err := crowd.Conn(context.Background())
			if err != nil {
				break
			}
			held = append(held, c)
		}
		await.That(t, "it says so", func() bool { _, r := probe(t, url+"/database/readyz"); return r.Reason == TooMany })
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			if code, r := probe(t, url+"/database/livez"); code != 200 {
				t.Fatalf("%d %+v", code, r)
			}
		}
		for _, c := range held {
			c.Close()
		}
		crowd.Close()
		await.That(t, "it is ready again", func() bool { code, _ := probe(t, url+"/database/readyz"); return code == 200 })
	})
}

// Queries that nobody waits for any more must not pile up in a database that is
// slow already.
func TestASlowQueryOfARealDatabaseIsEndedThere(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, s *server) {
		slow, count := "SELECT SLEEP(20)", "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"
		if s.engine == Postgres {
			slow, count = "SELECT pg_sleep(20)", "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
		}
		url := s.watch(map[string]string{"DBHEALTH_QUERY": slow, "DBHEALTH_TIMEOUT": "800ms"})
		admin := s.admin()
		defer admin.Close()
		for range 6 {
			ready(t, url, TooSlow)
			var running int
			if err := admin.QueryRow(count).Scan(&running); err != nil {
				t.Fatal(err)
			}
			if running > 2 {
				t.Fatalf("%d queries run", running)
			}
		}
		if code, r := probe(t, url+"/database/livez"); code != 200 {
			t.Errorf("%d %+v", code, r)
		}
		await.That(t, "none is left", func() bool {
			var running int
			return admin.QueryRow(count).Scan(&running) == nil && running == 0
		})
	})
}

func TestALockedTableOfARealDatabaseMakesItNotReady(t *testing.T) {
	t.Parallel()
	s := mariaDB(t)
	s.exec("CREATE TABLE app.t (n INT) ENGINE=InnoDB", "INSERT INTO app.t VALUES (1)")
	url := s.watch(map[string]string{"DBHEALTH_QUERY": "SELECT COUNT(*) FROM t", "DBHEALTH_TIMEOUT": "400ms"})
	ready(t, url, OK)
	admin := s.admin()
	defer admin.Close()
	c, err := admin.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(context.Background(), "LOCK TABLES app.t WRITE"); err != nil {
		t.Fatal(err)
	}
	ready(t, url, TooSlow)
	c.Close()
	admin.Close()
	await.That(t, "it is ready again", func() bool { code, _ := probe(t, url+"/database/readyz"); return code == 200 })
}

func TestARealReplicaThatLagsOrHasStoppedIsNotReady(t *testing.T) {
	t.Parallel()
	primary := mariaDB(t, "--server-id=1", "--log-bin=bin", "--binlog-format=ROW")
	replica := mariaDB(t, "--server-id=2")
	primary.exec("CREATE USER copy@'%' IDENTIFIED BY '"+secret+"'", "GRANT REPLICATION SLAVE ON *.* TO copy@'%'", "RESET MASTER")
	_, port, _ := net.SplitHostPort(primary.addr)
	url := replica.watch(map[string]string{"DBHEALTH_MAX_LAG": "2s"})
	ready(t, url, OK)
	replica.exec(fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%s, MASTER_USER='copy', MASTER_PASSWORD='%s', MASTER_USE_GTID=slave_pos", port, secret))
	ready(t, url, NotReplicates)
	replica.exec("START SLAVE")
	await.That(t, "it replicates", func() bool { _, r := probe(t, url+"/database/readyz"); return r.Ready && r.Lag != nil && *r.Lag == 0 })
	primary.exec("CREATE TABLE app.t (n INT)", "INSERT INTO app.t VALUES (1)")
	admin := replica.admin()
	defer admin.Close()
	await.That(t, "the row has come", func() bool {
		var n int
		return admin.QueryRow("SELECT n FROM app.t").Scan(&n) == nil
	})
	// A transaction on the replica locks the row that the primary changes.
	tx, err := admin.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("SELECT n FROM app.t FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	primary.exec("UPDATE app.t SET n = 2")
	await.That(t, "it lags", func() bool { _, r := probe(t, url+"/database/readyz"); return r.Reason == Behind && *r.Lag > 2 })
	if code, r := probe(t, url+"/database/livez"); code != 200 {
		t.Errorf("%d %+v", code, r)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	await.That(t, "it has caught up", func() bool { _, r := probe(t, url+"/database/readyz"); return r.Ready })
	replica.exec("STOP SLAVE SQL_THREAD")
	ready(t, url, NotReplicates)
}

// Whatever happens, the log of the adapter must not have the password.
func TestTheLogOfARealCheckHasNoPassword(t *testing.T) {
	t.Parallel()
	s := mariaDB(t)
	program := filepath.Join(t.TempDir(), "dbhealth")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/dbhealth").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("not-"+secret), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = []string{
		"LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=127.0.0.1:0", "LOG_LEVEL=DEBUG", "DRAIN_DELAY=0s", "DBHEALTH_USER=probe", "DBHEALTH_PASSWORD_FILE=" + password, "DBHEALTH_ADDRESS=" + s.addr,
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	text := func() []byte { b, _ := os.ReadFile(log.Name()); return b }
	var url string
	await.That(t, "it listens", func() bool {
		_, after, found := bytes.Cut(text(), []byte(`"data":"`))
		addr, _, _ := bytes.Cut(after, []byte(`"`))
		url = "http://" + string(addr)
		return found
	})
	ready(t, url, LoginRefused)
	await.That(t, "it is logged", func() bool { return bytes.Contains(text(), []byte("login-refused")) })
	if bytes.Contains(text(), []byte(secret)) {
		t.Errorf("%s", text())
	}
}
