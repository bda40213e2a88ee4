package protocol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/realserver"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func find(t *testing.T, program string, alternatives ...string) string {
	t.Helper()
	return realserver.Find(t, program, "the checks are NOT tried on it here", alternatives...)
}

// run starts a server until the end of the test and returns its log.
func run(t *testing.T, cmd *exec.Cmd) *os.File {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s", text)
		}
		log.Close()
	})
	return log
}

func mustRun(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// awaitAlive looks until the server is alive.
func awaitAlive(t *testing.T, n Name, addr string) {
	t.Helper()
	await.Seen(t, "the server is alive", func() (any, bool) {
		err := check(n, addr, "")
		return err, err == nil
	})
}

// check is one check from a local address.
func check(n Name, addr, from string) error {
	d := net.Dialer{Timeout: 5 * time.Second}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return n.Check(ctx, conn, "broker")
}

// mariaDB starts a real server with a user from everywhere.
func mariaDB(t *testing.T, options ...string) (addr string, cmd *exec.Cmd) {
	t.Helper()
	program := find(t, "mariadbd", "/usr/sbin/mariadbd")
	dir, err := os.MkdirTemp("", "mariadb-") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data, init := filepath.Join(dir, "data"), filepath.Join(dir, "init.sql")
	install := exec.Command("mariadb-install-db", "--no-defaults", "--datadir="+data, "--skip-test-db", "--user=root")
	install.Env = append(os.Environ(), "TMPDIR="+dir) // its temporary tables meet those of others elsewhere
	mustRun(t, install)
	if err := os.WriteFile(init, []byte("CREATE USER app@'%' IDENTIFIED BY 'x';\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	addr, port := realserver.Addr(t)
	cmd = exec.Command(program, append([]string{"--no-defaults", "--datadir=" + data, "--bind-address=127.0.0.1", "--port=" + port, "--socket=" + dir + "/s",
		"--pid-file=" + dir + "/pid", "--init-file=" + init, "--user=root", "--tmpdir=" + dir, "--innodb-buffer-pool-size=16M"}, options...)...)
	run(t, cmd)
	awaitAlive(t, MySQL, addr)
	return addr, cmd
}

// MariaDB blocks a host that greets and runs max_connect_errors times in a row.
// The host of a sidecar's checks is the application's.
func TestChecksOfARealMariaDBDoNotBlockTheHost(t *testing.T) {
	addr, _ := mariaDB(t, "--max-connect-errors=3")
	// The server remembers errors of hosts that are not exactly 127.0.0.1.
	const checker, rude = "127.0.0.2", "127.0.0.3"
	for range 10 {
		if err := check(MySQL, addr, checker); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(rude)}}
		conn, err := d.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _, _ = ReadMySQLPacket(conn)
		conn.Close()
	}
	var blocked *MySQLError
	if err := check(MySQL, addr, rude); !errors.As(err, &blocked) || blocked.Code != 1129 {
		t.Errorf("a host that hangs up after the greeting is not blocked (%v): this test proves nothing", err)
	}
}

func TestARealMariaDBThatHangsIsNotAlive(t *testing.T) {
	addr, cmd := mariaDB(t, "--skip-name-resolve")
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr) // the kernel accepts
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := MySQL.Check(limit(t, 200*time.Millisecond), conn, "broker"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	awaitAlive(t, MySQL, addr)
}

func TestARealPostgresIsAliveAndLogsNothingOfIt(t *testing.T) {
	const bin = "/usr/lib/postgresql/15/bin/"
	initdb := find(t, "initdb", bin+"initdb")
	program := find(t, "postgres", bin+"postgres")
	dir, err := os.MkdirTemp("", "pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data := filepath.Join(dir, "data")
	account := unprivileged(t, dir)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("s3cret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	mustRun(t, account(exec.Command(initdb, "-D", data, "-A", "scram-sha-256", "--pwfile="+password, "--no-sync")))
	addr, port := realserver.Addr(t)
	log := run(t, account(exec.Command(program, "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-k", dir, "-c", "fsync=off")))
	awaitAlive(t, Postgres, addr)
	before := size(t, log)
	for range 5 {
		if err := check(Postgres, addr, ""); err != nil {
			t.Error(err)
		}
	}
	text, _ := os.ReadFile(log.Name())
	if noise := text[before:]; len(bytes.TrimSpace(noise)) > 0 {
		t.Errorf("the checks leave in its log:\n%s", noise)
	}
	if psql, err := exec.LookPath("psql"); err == nil {
		told(t, psql)
	}
}

// told refuses a real client.
func told(t *testing.T, psql string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		Postgres.Refuse(ctx, conn, Refusal{Reason: "broker: no source names a database"})
	}()
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	out, err := exec.Command(psql, fmt.Sprintf("host=%s port=%s user=x dbname=x", host, port), "-c", "SELECT 1").CombinedOutput()
	<-done
	if err == nil || !strings.Contains(string(out), "FATAL:  broker: no source names a database") {
		t.Errorf("psql prints %s, %v", out, err)
	}
}

// unprivileged makes commands run as nobody where the test is root, as which
// PostgreSQL refuses to run.
func unprivileged(t *testing.T, dir string) func(*exec.Cmd) *exec.Cmd {
	t.Helper()
	const nobody = 65534
	if os.Getuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Dir = dir
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		return cmd
	}
}

func size(t *testing.T, f *os.File) int64 {
	t.Helper()
	n, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
