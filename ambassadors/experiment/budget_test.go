package experiment

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/internal/measure"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestWhatBreaksABudget(t *testing.T) {
	budget := plan.Budget{Errors: 500, P99: 2, MinRequests: 100}
	sum := func(requests, errors uint64, p99 time.Duration) measure.Summary {
		return measure.Summary{Requests: requests, Errors: errors, P99: p99}
	}
	for _, c := range []struct {
		name         string
		seen, beside measure.Summary
		want         string
	}{
		{"too few to tell", sum(99, 99, time.Hour), sum(1000, 0, 1), ""},
		{"within", sum(100, 5, 2*time.Millisecond), sum(100, 0, time.Millisecond), ""},
		{"errors", sum(100, 6, 0), sum(0, 0, 0), "errors: 6.00 % of 100 requests, beside 0.00 % in production; the budget is 5.00 % more"},
		{"errors of both", sum(100, 50, 0), sum(100, 46, time.Second), ""},
		{"latency", sum(100, 0, 3*time.Millisecond), sum(100, 0, time.Millisecond), "p99: 3ms of 100 requests, beside 1ms in production; the budget is 2 times that"},
		{"too few in production to compare with", sum(100, 0, time.Hour), sum(99, 0, 1), ""},
	} {
		if got := broken(budget, c.seen, c.beside); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	if got := broken(plan.Budget{Errors: plan.None}, sum(100, 100, time.Hour), sum(100, 0, 1)); got != "" {
		t.Errorf("no budget: %q", got)
	}
}

func TestAnExperimentThatBreaksItsBudgetIsStoppedUntilItsEntryChangesOrSomebodyResumesIt(t *testing.T) {
	var sick atomic.Bool
	sick.Store(true)
	production := serve(t, "production", nil)
	arm := serve(t, "", func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte("next"))
	})
	file := next(arm.addr(), "budget: {errors: 5, min_requests: 10}")
	w := start(t, production.addr(), file, nil)
	stopped := func(r Report) bool { return r.Experiments[0].State == "stopped" }
	for range 10 {
		if _, body := w.get("/", inside); body != "production" { // her users never notice
			t.Errorf("%s", body)
		}
	}
	r := w.until("stopped", stopped)
	if s := r.Experiments[0].Stop; !strings.Contains(s.Reason, "errors: 100.00 % of 10 requests") || time.Since(s.At) > patience {
		t.Errorf("%+v", s)
	}
	before := arm.count()
	if resp, _ := w.get("/", inside); resp.Header.Get(Field) != "production;instead-of=next;reason=stopped" || arm.count() != before {
		t.Errorf("%v", resp.Header)
	}

	sick.Store(false)
	w.write(file + "- {name: other, percent: 1, path: /other, upstream: '127.0.0.1:1'}\n")
	if r := w.until("another entry", func(r Report) bool { return len(r.Experiments) == 2 }); !stopped(r) {
		t.Error("another entry resumed it")
	}
	if resp, body := processtest.Do(t, http.DefaultClient, http.MethodPost, "http://"+w.Admin+"/v1/experiments/next/resume", ""); resp.StatusCode != 200 || !strings.Contains(body, `"was_stopped":true`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if _, body := w.get("/", inside); body != "next" {
		t.Errorf("%s", body)
	}

	sick.Store(true)
	for range 30 {
		w.get("/", inside)
	}
	w.until("stopped again", stopped)
	sick.Store(false)
	w.write(next(arm.addr(), "budget: {errors: 6, min_requests: 10}"))
	w.until("its entry changed", func(r Report) bool { return !stopped(r) })
	if _, body := w.get("/", inside); body != "next" {
		t.Errorf("%s", body)
	}
	if resp, body := processtest.Do(t, http.DefaultClient, http.MethodPost, "http://"+w.Admin+"/v1/experiments/none/resume", ""); resp.StatusCode != 404 || !strings.Contains(body, "no-such-experiment") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestASlowExperimentBreaksItsBudgetOfLatency(t *testing.T) {
	production := serve(t, "production", nil)
	slow := serve(t, "", func(_ http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(100 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	})
	w := start(t, production.addr(), next(slow.addr(), "budget: {p99: 2, min_requests: 5}"), nil)
	for range 5 {
		w.get("/", inside)
		w.get("/", outside)
	}
	r := w.until("stopped", func(r Report) bool { return r.Experiments[0].State == "stopped" })
	if !strings.HasPrefix(r.Experiments[0].Stop.Reason, "p99: ") {
		t.Errorf("%+v", r.Experiments[0].Stop)
	}
}
