package experiment

import (
	"context"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/internal/measure"
)

// judging is how often budgets are looked at: not by requests, which have other things to do.
const judging = 200 * time.Millisecond

// judge switches off experiments that break their budget, until ctx ends.
func (s *Server) judge(ctx context.Context) error {
	tick := time.NewTicker(judging)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			for _, t := range s.table.Load().experiments {
				s.judgeOne(t)
			}
		}
	}
}

func (s *Server) judgeOne(t *trial) {
	if t.Budget.Zero() || t.stopped.Load() != nil {
		return
	}
	seen, beside := t.seen.Window(), t.beside.Window()
	reason := broken(t.Budget, seen, beside)
	if reason == "" {
		return
	}
	t.stopped.Store(&stop{Reason: reason, At: time.Now().UTC()})
	s.metrics.stops.WithLabelValues(t.Name).Inc()
	s.log.Warn("experiment stopped by its budget", "experiment", t.Name, "reason", reason, "window", t.Budget.Window.String(),
		"requests", seen.Requests, "errors", seen.Errors, "p99", seen.P99.String(),
		"production_requests", beside.Requests, "production_errors", beside.Errors, "production_p99", beside.P99.String())
}

// broken says how a budget was broken, or nothing. Errors count beyond production's: when both fail it is not the
// experiment's fault. Latency is compared when production has enough requests, too.
func broken(b plan.Budget, seen, beside measure.Summary) string {
	if seen.Requests < uint64(b.MinRequests) {
		return ""
	}
	if beyond := seen.ErrorShare() - beside.ErrorShare(); b.Errors != plan.None && beyond > b.Errors.Share() {
		return fmt.Sprintf("errors: %.2f %% of %d requests, beside %.2f %% in production; the budget is %s %% more",
			100*seen.ErrorShare(), seen.Requests, 100*beside.ErrorShare(), b.Errors)
	}
	if beside.Requests < uint64(b.MinRequests) {
		return ""
	}
	if limit := time.Duration(b.P99 * float64(beside.P99)); b.P99 > 0 && seen.P99 > limit {
		return fmt.Sprintf("p99: %s of %d requests, beside %s in production; the budget is %g times that",
			seen.P99, seen.Requests, beside.P99, b.P99)
	}
	return ""
}

// resume lets a stopped experiment run again, with an empty window. It says whether there is such an experiment.
func (s *Server) resume(name string) (found, was bool) {
	t := s.table.Load().experiments[name]
	if t == nil {
		return false, false
	}
	t.seen.Forget()
	t.beside.Forget()
	if t.stopped.Swap(nil) == nil {
		return true, false
	}
	s.log.Warn("experiment resumed by an operator", "experiment", name)
	return true, true
}
