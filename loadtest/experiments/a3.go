package experiments

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func a3() proof.Pattern {
	return proof.Pattern{ID: "A3", Title: "Service broker", Page: "a3-broker.md", Experiments: []proof.Experiment{
		{Name: "move", Question: "When the database moves under load, how soon do new connections follow, and does a query fail?", Run: move},
		{Name: "latency", Question: "What does the broker add to a query's time, and to a connection's?", Run: brokerLatency},
		{Name: "refusal", Question: "Without a database, and with one that hangs, how soon does a client know?", Run: refusal},
	}}
}

// store starts database servers of one store, named a, b, …
func store(ctx context.Context, g *rig.Rig, n int) ([]*rig.Proc, error) {
	if err := g.Build(ctx, "mysql", "broker"); err != nil {
		return nil, err
	}
	var all []*rig.Proc
	for i := range n {
		p, err := g.Service(ctx, "mysql", "mysql-"+string(rune('a'+i)), map[string]string{"MYSQL_DATABASE": "test", "MYSQL_DATA_DIR": filepath.Join(g.Dir, "store")})
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// brokered starts a broker with a target file.
func brokered(ctx context.Context, g *rig.Rig, name string, env map[string]string) (p *rig.Proc, file string, err error) {
	file = filepath.Join(g.Dir, name+".target")
	full := map[string]string{"BROKER_FILE": file}
	for k, v := range env {
		full[k] = v
	}
	p, err = g.Service(ctx, "broker", name, full)
	return p, file, err
}

// aim writes a target file, as a whole.
func aim(file string, address string) error {
	return atomicfile.Write(file, []byte(address+"\n"), 0o644)
}

// database opens a pool at an address, with the driver as it comes.
func database(addr string, lifetime time.Duration, connections int) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.DBName, c.InterpolateParams = "tcp", addr, "root", "test", true
	c.Timeout = 10 * time.Second
	c.Logger = &mysql.NopLogger{} // what it says is in the errors too
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxLifetime(lifetime)
	return db, nil
}

// host asks which server answers.
func host(ctx context.Context, db *sql.DB) (name string, err error) {
	err = db.QueryRowContext(ctx, "SELECT @@hostname").Scan(&name)
	return name, err
}

// fresh asks over a new connection.
func fresh(ctx context.Context, addr string) (string, error) {
	db, err := database(addr, 0, 1)
	if err != nil {
		return "", err
	}
	defer db.Close()
	return host(ctx, db)
}

// begins waits until a broker that knew of no database reaches the first one.
func begins(ctx context.Context, addr, name string) error {
	return until(ctx, "connections reach "+name, func() (bool, error) {
		now, err := fresh(ctx, addr)
		return err == nil && now == name, nil
	})
}

// follows waits until new connections reach another server, and tells how long
// that took. None of them may fail.
func follows(ctx context.Context, addr, name string) (time.Duration, error) {
	began := time.Now()
	for {
		now, err := fresh(ctx, addr)
		switch {
		case err != nil:
			return 0, fmt.Errorf("a new connection: %w", err)
		case now == name:
			return time.Since(began), nil
		case time.Since(began) > 30*time.Second:
			return 0, fmt.Errorf("new connections do not reach %s", name)
		}
	}
}
