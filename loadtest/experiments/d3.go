package experiments

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func d3() proof.Pattern {
	return proof.Pattern{ID: "D3", Title: "Health of a database", Page: "d3-dbhealth.md", Experiments: []proof.Experiment{
		{Name: "hang", Question: "While the database hangs, how soon is a probe answered, and when is it dead?", Run: hang},
		{Name: "stampede", Question: "What does the database see of a thousand probes a second?", Run: probeStampede},
		{Name: "no-restart-loop", Question: "Does overload, a full database or a wrong password bring a restart about?", Run: noRestartLoop},
	}}
}

// probed starts a database and dbhealth beside it.
func probed(ctx context.Context, g *rig.Rig, database, adapter map[string]string) (db, health *rig.Proc, err error) {
	if err := g.Build(ctx, "mysql", "dbhealth"); err != nil {
		return nil, nil, err
	}
	password := filepath.Join(g.Dir, "password")
	if err := os.WriteFile(password, []byte("of the proof\n"), 0o600); err != nil {
		return nil, nil, err
	}
	full := map[string]string{"MYSQL_DATABASE": "test", "MYSQL_PASSWORD_FILE": password}
	for k, v := range database {
		full[k] = v
	}
	if db, err = g.Service(ctx, "mysql", "mysql", full); err != nil {
		return nil, nil, err
	}
	full = map[string]string{"DBHEALTH_ADDRESS": db.Data, "DBHEALTH_USER": "root", "DBHEALTH_DATABASE": "test", "DBHEALTH_PASSWORD_FILE": password}
	for k, v := range adapter {
		full[k] = v
	}
	health, err = g.Service(ctx, "dbhealth", "dbhealth", full)
	return db, health, err
}

// healthView is what a probe is answered.
type healthView struct {
	Live   bool   `json:"live"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason"`

	status int
	took   time.Duration
}

// probe asks one of dbhealth's questions.
func probe(ctx context.Context, health *rig.Proc, path string) (v healthView, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+health.Data+path, nil)
	if err != nil {
		return v, err
	}
	req.Close = true
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return v, fmt.Errorf("probe: %w", err)
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&v)
	v.status, v.took = resp.StatusCode, time.Since(began)
	return v, err
}

// untilHealth asks until it is so, and tells how long that took and the slowest answer.
func untilHealth(ctx context.Context, health *rig.Proc, path string, limit time.Duration, so func(healthView) bool) (took, slowest time.Duration, err error) {
	began := time.Now()
	for {
		v, err := probe(ctx, health, path)
		if err != nil {
			return 0, 0, err
		}
		slowest = max(slowest, v.took)
		if so(v) {
			return time.Since(began), slowest, nil
		}
		if time.Since(began) > limit {
			return 0, slowest, fmt.Errorf("%s still answers %d (%s) after %s", path, v.status, v.Reason, limit)
		}
		if err := retry.Sleep(ctx, 50*time.Millisecond); err != nil {
			return 0, 0, err
		}
	}
}
