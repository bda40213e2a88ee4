package experiments

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// besides are the containers that stand beside another one.
var besides = []string{"tlsproxy", "configsync", "topz", "gitsync", "redisshard", "memcacheshard", "broker", "experiment", "redismetrics", "lognorm", "dbhealth"}

// footprint measures in the fleet of all groups what each of them takes while it has
// nothing to do, and, by killing it, how soon it is ready.
func footprint(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	f, err := g.UpWith(ctx, []string{"all"})
	if err != nil {
		return err
	}
	if err := retry.Sleep(ctx, r.Span(5*time.Second, time.Second)); err != nil { // idle
		return err
	}
	s, err := f.Status(ctx)
	if err != nil {
		return err
	}
	t := proof.Table{Title: "Sidecars, ambassadors and adapters, idle", Columns: []string{"container", "resident", "ready after"}}
	largest, slowest := 0.0, time.Duration(0)
	for _, name := range besides {
		i := slices.IndexFunc(s.Members, func(m rig.Member) bool { return m.Service == name })
		if i < 0 {
			return fmt.Errorf("%s is not in the fleet", name)
		}
		resident, err := rollup(s.Members[i].PID)
		if err != nil {
			return err
		}
		took, err := starts(ctx, f, s.Members[i])
		if err != nil {
			return err
		}
		largest, slowest = max(largest, resident/(1<<20)), max(slowest, took)
		t.Rows = append(t.Rows, []string{name, fmt.Sprintf("%.1f MiB", resident/(1<<20)), fmt.Sprint(took)})
	}
	r.Claim(proof.AtMost(fmt.Sprintf("resident memory of the largest of %d", len(besides)), largest, 25, "MiB"))
	r.Claim(proof.AtMost("from the start of the process to ready, the slowest of them", milliseconds(slowest), 100, "ms"))
	r.Table(t)
	r.Note("Times are those of the kernel, in steps of 10 ms. How large images may be is held by a test of infra/wiring.")
	return nil
}

// starts kills a process and tells how long the next one took from its start to ready.
func starts(ctx context.Context, f *rig.Fleet, m rig.Member) (time.Duration, error) {
	if err := syscall.Kill(m.PID, syscall.SIGKILL); err != nil {
		return 0, err
	}
	var ready time.Duration
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	err := until(ctx, m.Instance+" is ready again", func() (bool, error) {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", m.PID)); err == nil {
			return false, nil // the old one has not quite ended
		}
		resp, err := client.Get("http://" + m.Admin + "/readyz")
		if err != nil {
			return false, nil
		}
		defer resp.Body.Close()
		ready, err = machine.Uptime()
		return resp.StatusCode == http.StatusOK, err
	})
	if err != nil {
		return 0, err
	}
	if err := f.AwaitReady(ctx, m.Instance, m.Restarts+1); err != nil {
		return 0, err
	}
	s, err := f.Status(ctx)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(s.Members, func(now rig.Member) bool { return now.Instance == m.Instance })
	started, err := machine.Started(s.Members[i].PID)
	return ready - started, err
}
