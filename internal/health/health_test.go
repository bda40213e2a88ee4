package health_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGateClosedMakesNotReadyButLive(t *testing.T) {
	checks := health.New()
	gate := checks.Gate("data", "downloading")
	if checks.IsReady(t.Context()).OK {
		t.Error("ready with a closed gate")
	}
	if !checks.IsLive(t.Context()).OK {
		t.Error("a closed gate must not end the process")
	}
	gate.Open()
	if !checks.IsReady(t.Context()).OK {
		t.Error("not ready though the gate is open")
	}
	gate.Close("lost the data")
	r := checks.IsReady(t.Context())
	if r.OK || r.Checks[0].Reason != "lost the data" {
		t.Errorf("report %+v, want the reason of the gate", r)
	}
}

func TestDrainIsForGood(t *testing.T) {
	checks := health.New()
	gate := checks.Gate("data", "")
	checks.Drain()
	gate.Open()
	if checks.IsReady(t.Context()).OK {
		t.Error("ready while draining")
	}
}

func TestHangingCheckIsReportedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checks := health.New()
		release := make(chan struct{})
		defer close(release)
		checks.Ready("good", func(context.Context) error { return nil })
		checks.Ready("hangs", func(context.Context) error {
			<-release // ignores its context, as a bad client does
			return nil
		})
		began := time.Now()
		r := checks.IsReady(t.Context())
		if took := time.Since(began); took > health.Timeout {
			t.Errorf("the answer took %v", took)
		}
		if r.OK || len(r.Checks) != 2 || !r.Checks[0].OK || r.Checks[1].OK {
			t.Errorf("report %+v, want good to be ok and hangs not", r)
		}
	})
}

func TestHandlerAnswers503WithReason(t *testing.T) {
	checks := health.New()
	checks.Live("loop", func(context.Context) error { return errors.New("stuck") })
	w := httptest.NewRecorder()
	checks.LiveHandler().ServeHTTP(w, httptest.NewRequest("GET", "/livez", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "stuck") {
		t.Errorf("%d %s, want 503 naming the reason", w.Code, w.Body)
	}
}
