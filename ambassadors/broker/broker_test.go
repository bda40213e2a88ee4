package broker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/binding"
	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a broker of this package.
type running struct{ *processtest.Running }

// start runs the program as its main would, until the end of the test.
func start(t *testing.T, environ map[string]string) running {
	t.Helper()
	env := map[string]string{
		"DRAIN_TIMEOUT": "1s", "BROKER_CHECK_INTERVAL": "50ms", "BROKER_CHECK_TIMEOUT": "300ms", "BROKER_CONNECT_TIMEOUT": "500ms",
	}
	maps.Copy(env, environ)
	cfg := processtest.Parse[Config](t, Program, env)
	return running{processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })}
}

// aim writes a target file.
func aim(t *testing.T, path string, addresses ...string) {
	t.Helper()
	if err := atomicfile.Write(path, []byte(strings.Join(addresses, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, body := processtest.Get(t, url)
	return resp.StatusCode, body
}

func (r running) status(t *testing.T) (s Status) {
	t.Helper()
	code, body := get(t, "http://"+r.Admin+"/v1/target")
	if err := json.Unmarshal([]byte(body), &s); err != nil || code != http.StatusOK {
		t.Fatalf("%d %s: %v", code, body, err)
	}
	return s
}

// refusedWith returns the error of MySQL that a new connection gets.
func refusedWith(t *testing.T, addr string) *driver.MySQLError {
	t.Helper()
	_, err := ask(t, addr)
	var e *driver.MySQLError
	if !errors.As(err, &e) {
		t.Fatalf("the client gets %v, want an error of MySQL", err)
	}
	return e
}

// blackHole is an address that takes no connection and refuses none: its queue is
// full, so that the kernel answers nothing.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 3 {
		if conn, err := net.DialTimeout("tcp", addr, 100*time.Millisecond); err == nil {
			t.Cleanup(func() { conn.Close() })
		}
	}
	return addr
}

func TestWithoutATargetAClientIsToldSoAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"BROKER_FILE": filepath.Join(t.TempDir(), "none"), "SERVICE_BINDING_ROOT": t.TempDir()})
	began := time.Now()
	e := refusedWith(t, r.Data)
	if want := "broker: no source names a database: binding has none, file has none"; e.Number != 1429 || e.Message != want {
		t.Errorf("%d %q", e.Number, e.Message)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
	await.That(t, "it is ready nevertheless", func() bool { code, _ := get(t, "http://"+r.Admin+"/readyz"); return code == 200 })
	if _, body := get(t, "http://"+r.Admin+"/metrics"); !strings.Contains(body, `broker_connections_total{outcome="no_target"} 1`) {
		t.Error("the refusal is not counted")
	}
}

func TestADeadDatabaseIsToldOfWithoutItsAddress(t *testing.T) {
	t.Parallel()
	dead := nettest.Refuse(t)
	r := start(t, map[string]string{"BROKER_TARGET": dead})
	for range 2 { // tried, and known to be down
		began := time.Now()
		e := refusedWith(t, r.Data)
		if want := "broker: the database does not answer (1 known of, by environment)"; e.Number != 1429 || e.Message != want {
			t.Errorf("%d %q", e.Number, e.Message)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	if s := r.status(t); s.Targets[0].Health != "down" || s.Targets[0].Reason != "the connection is refused" {
		t.Errorf("%+v", s.Targets)
	}
	d := newDatabase(t, "late", dead)
	await.That(t, "a database that comes late is found", func() bool {
		name, err := ask(t, r.Data)
		return err == nil && name == d.name
	})
}

func TestATargetThatHangsInConnectIsPassedOver(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "second", "127.0.0.1:0")
	r := start(t, map[string]string{"BROKER_TARGET": blackHole(t) + "," + d.addr(), "BROKER_CONNECT_TIMEOUT": "3s", "BROKER_CHECK_TIMEOUT": "3s", "BROKER_CONNECT_LIMIT": "30s"})
	began := time.Now()
	if name, err := ask(t, r.Data); err != nil || name != "second" {
		t.Errorf("%q, %v", name, err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	await.That(t, "it is known to be down", func() bool { return r.status(t).Targets[0].Health == "down" })
	began = time.Now()
	if name, err := ask(t, r.Data); err != nil || name != "second" || time.Since(began) > 2500*time.Millisecond {
		t.Errorf("%q, %v after %v", name, err, time.Since(began))
	}
}

// Half open: the machine accepts, the database says nothing.
func TestATargetThatGreetsNobodyIsPassedOver(t *testing.T) {
	t.Parallel()
	mute, d := newDatabase(t, "mute", "127.0.0.1:0"), newDatabase(t, "second", "127.0.0.1:0")
	r := start(t, map[string]string{"BROKER_TARGET": mute.addr() + "," + d.addr()})
	db := pool(t, r.Data)
	if name, err := who(db); err != nil || name != "mute" {
		t.Fatalf("%q, %v", name, err)
	}
	mute.silent.Store(true)
	if name, err := ask(t, r.Data); err != nil || name != "second" {
		t.Errorf("%q, %v", name, err)
	}
	mute.silent.Store(false)
	await.That(t, "the preferred one is used again", func() bool { name, _ := ask(t, r.Data); return name == "mute" })
}

func TestOnlyATargetThatHangsIsRefusedInTime(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"BROKER_TARGET": blackHole(t), "BROKER_CONNECT_TIMEOUT": "10s", "BROKER_CONNECT_LIMIT": "300ms", "BROKER_CHECK_TIMEOUT": "10s"})
	began := time.Now()
	if e := refusedWith(t, r.Data); e.Message != "broker: the database does not answer in time" {
		t.Errorf("%q", e.Message)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
}

// The move: new connections go to the new database at once, open ones go on
// until their time is over, and a pool notices nothing.
func TestTheDatabaseMovesWhileConnectionsAreOpen(t *testing.T) {
	t.Parallel()
	a, b := newDatabase(t, "a", "127.0.0.1:0"), newDatabase(t, "b", "127.0.0.1:0")
	file := filepath.Join(t.TempDir(), "target")
	aim(t, file, a.addr())
	r := start(t, map[string]string{"BROKER_FILE": file, "BROKER_DRAIN": "5s"})
	db := pool(t, r.Data)
	kept, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if name, err := who(kept); err != nil || name != "a" {
		t.Fatalf("%q, %v", name, err)
	}
	aim(t, file, b.addr())
	moved := time.Now()
	await.That(t, "new connections go to the new one", func() bool { name, _ := ask(t, r.Data); return name == "b" })
	if took := time.Since(moved); took > 4*time.Second {
		t.Errorf("new connections took %v to move", took)
	}
	if name, err := who(kept); err != nil || name != "a" {
		t.Errorf("an open connection, %v after the move: %q, %v", time.Since(moved), name, err)
	}
	if s := r.status(t); s.Connections.Draining != 1 {
		t.Errorf("%+v", s.Connections)
	}
	await.That(t, "the open connection was closed", func() bool { _, err := who(kept); return err != nil })
	if took := time.Since(moved); took < 4900*time.Millisecond {
		t.Errorf("the open connection lived for %v after the move", took)
	}
	if name, err := who(db); err != nil || name != "b" {
		t.Errorf("the pool afterwards: %q, %v", name, err)
	}
	if s := r.status(t); s.Connections.Cut != 1 || s.Source != "file" {
		t.Errorf("%+v", s)
	}
}

func TestUnderLoadNoQueryOfThePoolFailsInAMove(t *testing.T) {
	t.Parallel()
	a, b := newDatabase(t, "a", "127.0.0.1:0"), newDatabase(t, "b", "127.0.0.1:0")
	file := filepath.Join(t.TempDir(), "target")
	aim(t, file, a.addr())
	r := start(t, map[string]string{"BROKER_FILE": file, "BROKER_DRAIN": "5s"})
	db := pool(t, r.Data)
	db.SetMaxOpenConns(8)
	db.SetConnMaxLifetime(200 * time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for ctx.Err() == nil {
				if _, err := who(db); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 6 {
		to := []*database{b, a}[i%2]
		before := to.queries.Load()
		aim(t, file, to.addr())
		await.That(t, "the load has moved", func() bool { return to.queries.Load() > before+100 })
	}
	cancel()
	workers.Wait()
}

func TestASourceThatGoesAwayKeepsItsWord(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "d", "127.0.0.1:0")
	file := filepath.Join(t.TempDir(), "target")
	aim(t, file, d.addr())
	r := start(t, map[string]string{"BROKER_FILE": file})
	if name, err := ask(t, r.Data); err != nil || name != "d" {
		t.Fatalf("%q, %v", name, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	await.That(t, "it says so", func() bool { return r.status(t).Stale })
	if s := r.status(t); s.Note != "file names none any more; this is what it said last" || s.Sources[0].State != "gone" {
		t.Errorf("%+v", s)
	}
	if name, err := ask(t, r.Data); err != nil || name != "d" {
		t.Errorf("%q, %v", name, err)
	}
	if _, body := get(t, "http://"+r.Admin+"/metrics"); !strings.Contains(body, "broker_target_stale 1\n") {
		t.Error("no metric says so")
	}
}

func TestABindingTakesPrecedenceAndGivesItBack(t *testing.T) {
	t.Parallel()
	a, b := newDatabase(t, "a", "127.0.0.1:0"), newDatabase(t, "b", "127.0.0.1:0")
	root, file := t.TempDir(), filepath.Join(t.TempDir(), "target")
	aim(t, file, a.addr())
	r := start(t, map[string]string{"BROKER_FILE": file, "SERVICE_BINDING_ROOT": root})
	is := func(want string) func() bool {
		return func() bool { name, _ := ask(t, r.Data); return name == want }
	}
	await.That(t, "the file is used", is("a"))
	host, port, _ := net.SplitHostPort(b.addr())
	if err := binding.Write(filepath.Join(root, "db"), binding.Entries{"type": "mysql", "host": host, "port": port}); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the binding is used", is("b"))
	if err := os.RemoveAll(filepath.Join(root, "db")); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the file is used again", is("a"))
}

func TestTooManyConnectionsAreToldSo(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "d", "127.0.0.1:0")
	r := start(t, map[string]string{"BROKER_TARGET": d.addr(), "BROKER_MAX_CONNECTIONS": "1"})
	if _, err := who(pool(t, r.Data)); err != nil { // which stays open
		t.Fatal(err)
	}
	if e := refusedWith(t, r.Data); e.Number != 1040 {
		t.Errorf("%d %q", e.Number, e.Message)
	}
}

// shouter is a server of another protocol, which heeds half-closes.
func shouter(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				all, err := io.ReadAll(conn) // until the client has sent everything
				if err == nil {
					_, _ = conn.Write(bytes.ToUpper(all))
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

func TestAHalfCloseIsPassedOn(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"BROKER_TARGET": shouter(t), "BROKER_PROTOCOL": "tcp"})
	conn, err := net.Dial("tcp", r.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	text := strings.Repeat("abc", 1<<18)
	go func() {
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != strings.ToUpper(text) {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
	await.That(t, "the bytes are counted", func() bool {
		_, body := get(t, "http://"+r.Admin+"/metrics")
		return strings.Contains(body, `broker_bytes_total{direction="to_database"} 786432`)
	})
}

func TestAClientThatIsGoneHoldsNothing(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "d", "127.0.0.1:0")
	r := start(t, map[string]string{"BROKER_TARGET": d.addr()})
	conn, err := net.Dial("tcp", r.Data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadByte(); err != nil {
		t.Fatal(err)
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
	await.That(t, "its connection is gone", func() bool { return r.status(t).Connections.Open == 0 })
}

func TestOfAnotherProtocolTheRefusalIsAReset(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"BROKER_TARGET": nettest.Refuse(t), "BROKER_PROTOCOL": "tcp"})
	conn, err := net.Dial("tcp", r.Data)
	if err == nil {
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, err = io.ReadAll(conn)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
}

// A broker whose target is itself would fill itself up.
func TestABrokerDoesNotConnectToItself(t *testing.T) {
	t.Parallel()
	own := nettest.Refuse(t)
	r := start(t, map[string]string{"LISTEN_ADDR": own, "BROKER_TARGET": own, "BROKER_PROTOCOL": "tcp", "BROKER_CHECK_DOWN": "1"})
	await.That(t, "it says why", func() bool {
		s := r.status(t)
		return s.Targets[0].Health == "down" && s.Targets[0].Reason == "this address is the broker itself"
	})
}

func TestTheEndWaitsForConnectionsAndThenCutsThem(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "d", "127.0.0.1:0")
	r := start(t, map[string]string{"BROKER_TARGET": d.addr(), "DRAIN_TIMEOUT": "300ms"})
	c, err := pool(t, r.Data).Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := who(c); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < 250*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	await.That(t, "the database has no connection left", func() bool { return d.open() == 0 })
}

func TestTheStatusNeedsALoopbackOrAToken(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, map[string]string{"BROKER_TARGET": nettest.Refuse(t), "ADMIN_TOKEN_FILE": token})
	if code, body := get(t, "http://"+r.Admin+"/v1/target"); code != http.StatusUnauthorized {
		t.Errorf("%d %s", code, body)
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	t.Parallel()
	for variable, env := range map[string]map[string]string{
		"BROKER_TARGET, SERVICE":   {},
		"BROKER_ETCD_ENDPOINTS":    {"BROKER_ETCD_ENDPOINTS": "etcd:2379", "BROKER_ETCD_KEY": "/db"},
		"BROKER_ETCD_KEY":          {"BROKER_ETCD_KEY": "/db", "BROKER_FILE": "x"},
		"BROKER_OSB_SERVICE":       {"BROKER_OSB_URL": "http://osb", "BROKER_OSB_NAME": "x"},
		"BROKER_OSB_NAME":          {"BROKER_OSB_URL": "http://osb", "BROKER_OSB_SERVICE": "x"},
		"BROKER_OSB_URL":           {"BROKER_OSB_URL": "http://user:word@osb", "BROKER_OSB_SERVICE": "x", "BROKER_OSB_NAME": "x"},
		"BROKER_OSB_PARAMETERS":    {"BROKER_OSB_URL": "http://osb", "BROKER_OSB_SERVICE": "x", "BROKER_OSB_NAME": "x", "BROKER_OSB_PARAMETERS": "[1]"},
		"BROKER_OSB_PASSWORD_FILE": {"BROKER_OSB_URL": "http://osb", "BROKER_OSB_SERVICE": "x", "BROKER_OSB_NAME": "x", "BROKER_OSB_USER": "x"},
		"BROKER_DNS":               {"BROKER_SRV": "_mysql._tcp.x", "BROKER_DNS": "10.0.0.1"},
		"BROKER_BINDING":           {"SERVICE_BINDING_ROOT": "/bindings", "BROKER_BINDING": "../etc"},
		"BROKER_CHECK_DOWN":        {"BROKER_FILE": "x", "BROKER_CHECK_DOWN": "0"},
		"BROKER_MAX_CONNECTIONS":   {"BROKER_FILE": "x", "BROKER_MAX_CONNECTIONS": "0"},
		"BROKER_CONNECT_LIMIT":     {"BROKER_FILE": "x", "BROKER_CONNECT_LIMIT": "0s"},
		"BROKER_CHECK_USER":        {"BROKER_FILE": "x", "BROKER_CHECK_USER": strings.Repeat("x", 33)},
	} {
		cfg, err := process.Parse[Config](Program, env)
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			err = Run(ctx, cfg)
			cancel()
		}
		var wrong config.Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s is not named in: %v", variable, err)
		}
	}
	if _, err := process.Parse[Config](Program, map[string]string{"BROKER_TARGET": "db", "BROKER_PROTOCOL": "oracle"}); err == nil || !strings.Contains(err.Error(), "BROKER_TARGET") || !strings.Contains(err.Error(), "BROKER_PROTOCOL") {
		t.Error(err)
	}
}
