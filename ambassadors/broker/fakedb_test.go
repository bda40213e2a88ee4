package broker

import (
	"context"
	"database/sql"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/protocol"
)

// database speaks enough of MySQL for a driver: it lets everybody in, and
// answers every query with its name. It can be as unkind as a real one.
type database struct {
	name string
	ln   net.Listener
	wg   sync.WaitGroup

	silent  atomic.Bool // accepts, and greets nobody
	logins  atomic.Int32
	queries atomic.Int32

	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

func newDatabase(t *testing.T, name, addr string) *database {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	d := &database{name: name, ln: ln, conns: map[net.Conn]bool{}}
	d.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			d.conns[conn] = true
			d.mu.Unlock()
			d.wg.Go(func() {
				d.serve(conn)
				conn.Close()
				d.mu.Lock()
				delete(d.conns, conn)
				d.mu.Unlock()
			})
		}
	})
	t.Cleanup(d.kill)
	return d
}

func (d *database) addr() string { return d.ln.Addr().String() }

// open is how many connections there are.
func (d *database) open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns)
}

// kill ends it as kill -9 does.
func (d *database) kill() {
	d.ln.Close()
	d.mu.Lock()
	for conn := range d.conns {
		conn.Close()
	}
	d.mu.Unlock()
	d.wg.Wait()
}

func packet(sequence byte, payload ...byte) []byte {
	n := len(payload)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), sequence}, payload...)
}

func (d *database) serve(conn net.Conn) {
	if d.silent.Load() {
		_, _ = conn.Read(make([]byte, 1))
		return
	}
	greeting := append([]byte{10}, "8.0\x00\x01\x00\x00\x0012345678\x00\x0f\xa2\x2d\x02\x00\x08\x00\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00123456789012\x00mysql_native_password\x00"...)
	if _, err := conn.Write(packet(0, greeting...)); err != nil {
		return
	}
	if _, _, err := protocol.ReadMySQLPacket(conn); err != nil {
		return
	}
	ok := []byte{0, 0, 0, 2, 0, 0, 0}
	d.logins.Add(1)
	_, _ = conn.Write(packet(2, ok...))
	for {
		_, p, err := protocol.ReadMySQLPacket(conn)
		if err != nil || len(p) == 0 || p[0] == 1 { // COM_QUIT
			return
		}
		if p[0] != 3 { // COM_PING
			_, _ = conn.Write(packet(1, ok...))
			continue
		}
		d.queries.Add(1)
		_, _ = conn.Write(d.row())
	}
}

// row is a result of one column and one row: the name.
func (d *database) row() []byte {
	column := []byte("\x03def\x00\x00\x00\x01n\x01n\x0c\x2d\x00\x00\x01\x00\x00\xfd\x00\x00\x00\x00\x00")
	answer := packet(1, 1)
	answer = append(answer, packet(2, column...)...)
	answer = append(answer, packet(3, 0xfe, 0, 0, 2, 0)...)
	answer = append(answer, packet(4, append([]byte{byte(len(d.name))}, d.name...)...)...)
	return append(answer, packet(5, 0xfe, 0, 0, 2, 0)...)
}

// pool opens database/sql's pool at an address.
func pool(t *testing.T, addr string) *sql.DB {
	t.Helper()
	cfg := driver.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Timeout, cfg.Logger = "tcp", addr, "app", 10*time.Second, &driver.NopLogger{}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

// who asks which database answers.
func who(db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var name string
	err := db.QueryRowContext(ctx, "SELECT name").Scan(&name)
	return name, err
}

// ask asks over a connection of its own.
func ask(t *testing.T, addr string) (string, error) {
	t.Helper()
	db := pool(t, addr)
	defer db.Close()
	return who(db)
}
