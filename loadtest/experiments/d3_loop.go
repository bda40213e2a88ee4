package experiments

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// noRestartLoop makes the database not ready in ways that a restart does not
// mend, and counts how often an orchestrator would have restarted it. The limits
// are a second, so that there is time for many.
func noRestartLoop(ctx context.Context, r *proof.Report) error {
	for _, c := range []struct {
		name    string
		env     map[string]string
		reason  string
		disturb func(context.Context, *rig.Rig, *rig.Proc) (undo func(), err error)
	}{
		{"a wrong password", nil, "login-refused", wrongPassword},
		{"too many connections", nil, "too-many-connections", crowd},
		{"a query that takes too long", map[string]string{"DBHEALTH_QUERY": "SELECT SLEEP(5)"}, "too-slow", nil},
		{"a table that is not there", map[string]string{"DBHEALTH_QUERY": "SELECT 1 FROM nowhere"}, "query-failed", nil},
	} {
		if err := disturbed(ctx, r, c.name, c.env, c.reason, c.disturb); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// disturbed counts under one disturbance.
func disturbed(ctx context.Context, r *proof.Report, name string, env map[string]string, reason string, disturb func(context.Context, *rig.Rig, *rig.Proc) (func(), error)) error {
	g := rig.New(r)
	defer g.Close()
	full := map[string]string{"DBHEALTH_HANG_LIMIT": "1s", "DBHEALTH_STOP_LIMIT": "1s", "DBHEALTH_TTL": "0s"}
	for k, v := range env {
		full[k] = v
	}
	db, health, err := probed(ctx, g, map[string]string{"MYSQL_MAX_CLIENTS": "10"}, full)
	if err != nil {
		return err
	}
	if disturb != nil {
		undo, err := disturb(ctx, g, db)
		if err != nil {
			return err
		}
		defer undo()
	}
	if _, _, err := untilHealth(ctx, health, "/database/readyz", 10*time.Second, func(v healthView) bool { return v.Reason == reason }); err != nil {
		return err
	}
	asked, dead, ready := 0, 0, 0
	for began := time.Now(); time.Since(began) < r.Span(10*time.Second, 3*time.Second); {
		for _, path := range []string{"/database/livez", "/database/readyz"} {
			v, err := probe(ctx, health, path)
			if err != nil {
				return err
			}
			asked++
			if !v.Live {
				dead++
			}
			if v.Ready {
				ready++
			}
		}
		if err := retry.Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	r.Claim(proof.Exactly(name+": probes that would restart it", dead, 0, fmt.Sprintf("of %d", asked)))
	r.Claim(proof.Exactly(name+": probes that would send it traffic", ready, 0, fmt.Sprintf("of %d", asked)))
	return nil
}

// wrongPassword replaces the file that dbhealth reads.
func wrongPassword(_ context.Context, g *rig.Rig, _ *rig.Proc) (undo func(), err error) {
	return func() {}, os.WriteFile(filepath.Join(g.Dir, "password"), []byte("not it\n"), 0o600)
}

// crowd takes all connections that the database has.
func crowd(ctx context.Context, _ *rig.Rig, db *rig.Proc) (undo func(), err error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName, c.Logger = "tcp", db.Data, "root", "of the proof", "test", &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector)
	held := 0
	for deadline := time.Now().Add(10 * time.Second); held < 10; {
		if _, err := pool.Conn(ctx); err == nil { // closed with the pool
			held++
		} else if time.Now().After(deadline) {
			_ = pool.Close()
			return nil, err
		}
	}
	return func() { _ = pool.Close() }, nil
}

// counter reads a metric without labels.
func counter(ctx context.Context, p *rig.Proc, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", p.Spec.Name, name)
}
