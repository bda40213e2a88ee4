package experiment

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

// metrics waits until the metrics are as told.
func (w *world) metrics(what string, is func(text string) bool) string {
	w.t.Helper()
	_, text := processtest.Get(w.t, "http://"+w.Admin+"/metrics")
	w.until(what, func(Report) bool {
		_, text = processtest.Get(w.t, "http://"+w.Admin+"/metrics")
		return is(text)
	})
	return text
}

func TestAClientThatGoesAwayIsHeldAgainstNobody(t *testing.T) {
	asked := make(chan struct{}, 8)
	production := serve(t, "production", nil)
	hung := serve(t, "", func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	w := start(t, production.addr(), next(hung.addr()), nil)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.Data, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "experiment", Value: inside})
	ended := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		ended <- err
	}()
	<-asked
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	text := w.metrics("the request has ended", func(text string) bool {
		return strings.Contains(text, `http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="499"} 1`)
	})
	if want := `outcome="canceled",upstream="next"} 1`; !strings.Contains(text, want) || strings.Contains(text, `experiment_arm_duration_seconds_count{arm="next"`) {
		t.Errorf("%s is not in %s", want, text)
	}
	if r := w.report(); r.Experiments[0].Requests != 0 || r.Experiments[0].Errors != 0 || r.Experiments[0].Rescued != 0 || production.count() != 0 {
		t.Errorf("production was asked %d times: %+v", production.count(), r)
	}
}

func TestXRealIPIsTheWordOfTrustedProxiesOnly(t *testing.T) {
	for trusted, want := range map[string]string{"": "", "127.0.0.0/8": "192.0.2.9"} {
		production := serve(t, "production", nil)
		w := start(t, production.addr(), "", map[string]string{"EXPERIMENT_TRUSTED_PROXIES": trusted})
		w.get("/", "", "X-Real-IP", "192.0.2.9")
		if r, _ := production.last(); r.Header.Get("X-Real-IP") != want {
			t.Errorf("trusted %q: %q", trusted, r.Header.Get("X-Real-IP"))
		}
	}
}

func TestTheArmIsToldHowLongTheRequestMayTake(t *testing.T) {
	production := serve(t, "production", nil)
	w := start(t, production.addr(), "", map[string]string{"EXPERIMENT_TIMEOUT": "30s"})
	for asked, most := range map[string]time.Duration{"25000": 25 * time.Second, "99000": 30 * time.Second, "soon": 30 * time.Second} {
		w.get("/", "", httpclient.TimeoutHeader, asked)
		r, _ := production.last()
		told := r.Header.Get(httpclient.TimeoutHeader)
		if left, ok := httpclient.ParseTimeout(told); !ok || left > most || left < most-20*time.Second {
			t.Errorf("asked for %s: %q", asked, told)
		}
	}
}

func TestMethodsOfTheHopArePassedToNobody(t *testing.T) {
	production := serve(t, "production", nil)
	w := start(t, production.addr(), "", nil)
	for _, method := range []string{http.MethodTrace, http.MethodConnect} {
		resp, body := processtest.Do(t, http.DefaultClient, method, "http://"+w.Data+"/", "")
		if resp.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(body, "#method-not-allowed") || !strings.Contains(body, method+" is not passed on") {
			t.Errorf("%s: %s %s", method, resp.Status, body)
		}
	}
	if production.count() != 0 {
		t.Errorf("production got %d requests", production.count())
	}
	w.metrics("they are counted", func(text string) bool {
		return strings.Contains(text, `http_server_request_duration_seconds_count{http_request_method="_OTHER",http_response_status_code="405"} 2`)
	})
}

func TestTheSeriesOfAnExperimentEndWithIt(t *testing.T) {
	slow, begun, goOn := make(chan struct{}), make(chan struct{}, 8), make(chan struct{})
	production := serve(t, "production", nil)
	arm := serve(t, "", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-slow:
			begun <- struct{}{}
			select {
			case <-goOn:
			case <-r.Context().Done():
			}
		default:
		}
	})
	w := start(t, production.addr(), next(arm.addr()), nil)
	const series = `experiment_arm_duration_seconds_count{arm="next"`
	has := func(text string) bool { return strings.Contains(text, series) }
	w.get("/", inside)
	w.metrics("it has series", has)
	// An experiment that changes its arm has not ended.
	w.write(next(arm.addr(), "timeout: 20s"))
	text := w.metrics("it has another arm", func(text string) bool {
		return strings.Contains(text, `generation="2"`) && !strings.Contains(text, `generation="1"`)
	})
	if !has(text) {
		t.Error("its series have ended with its first arm")
	}
	close(slow)
	ended := make(chan string, 1)
	go func() {
		resp, _ := w.get("/", inside)
		ended <- resp.Header.Get(Field)
	}()
	<-begun
	w.write("experiments: []")
	w.metrics("they have ended", func(text string) bool { return !strings.Contains(text, `arm="next"`) })
	close(goOn) // what was under way does not begin them again
	if got := <-ended; got != "next" {
		t.Errorf("the last request was served by %s", got)
	}
	if text := w.metrics("the last request has ended", func(text string) bool {
		return strings.Contains(text, "http_server_active_requests 0")
	}); has(text) {
		t.Error("they are there again")
	}
}
