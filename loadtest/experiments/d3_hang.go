package experiments

import (
	"context"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// hang stops the database with SIGSTOP, lets it go on, and kills it.
func hang(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	limit := r.Span(10*time.Second, 4*time.Second)
	db, health, err := probed(ctx, g, nil, map[string]string{"DBHEALTH_HANG_LIMIT": limit.String(), "DBHEALTH_STOP_LIMIT": limit.String(), "DBHEALTH_TTL": "500ms"})
	if err != nil {
		return err
	}
	if _, _, err := untilHealth(ctx, health, "/database/readyz", 10*time.Second, func(v healthView) bool { return v.Ready }); err != nil {
		return err
	}
	if err := syscall.Kill(db.PID(), syscall.SIGSTOP); err != nil {
		return err
	}
	noticed, first, err := untilHealth(ctx, health, "/database/readyz", 10*time.Second, func(v healthView) bool { return !v.Ready })
	if err != nil {
		return err
	}
	dead, slowest, err := untilHealth(ctx, health, "/database/livez", 3*limit, func(v healthView) bool { return !v.Live })
	if err != nil {
		return err
	}
	dead += noticed
	r.Claim(proof.AtMost("SIGSTOP: time until not ready", milliseconds(noticed), 1500, "ms"))
	r.Claim(proof.AtMost("slowest answer of a probe meanwhile (DBHEALTH_TIMEOUT is 700 ms)", milliseconds(max(first, slowest)), 1000, "ms"))
	r.Claim(proof.AtLeast("time until not alive (DBHEALTH_HANG_LIMIT is "+limit.String()+")", dead.Seconds(), limit.Seconds()-0.1, "s"))
	r.Claim(proof.AtMost("and at most", dead.Seconds(), limit.Seconds()*1.5+2, "s"))
	if err := syscall.Kill(db.PID(), syscall.SIGCONT); err != nil {
		return err
	}
	back, _, err := untilHealth(ctx, health, "/v1/health", 30*time.Second, func(v healthView) bool { return v.Live && v.Ready })
	if err != nil {
		return err
	}
	r.Measured("SIGCONT: time until alive and ready", back.Seconds(), "s")
	db.Kill()
	stopped, _, err := untilHealth(ctx, health, "/database/livez", 3*limit, func(v healthView) bool { return !v.Live })
	if err != nil {
		return err
	}
	r.Claim(proof.Within("kill -9: time until not alive (DBHEALTH_STOP_LIMIT)", stopped.Seconds(), limit.Seconds(), 0.35, "s"))
	return nil
}
