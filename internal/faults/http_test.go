package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/faults"
)

const patience = 20 * time.Second

// service is a server whose handler has faults, with their administration at
// /faults as on another port.
func service(t *testing.T, http2 bool) (url string, client *http.Client, set *faults.Set) {
	t.Helper()
	set = newSet(t, `[]`)
	mux := http.NewServeMux()
	mux.Handle("/faults", set.Handler(slog.New(slog.DiscardHandler)))
	mux.Handle("/", set.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "answer")
	})))
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	if server.EnableHTTP2 = http2; http2 {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.URL, server.Client(), set
}

func do(t *testing.T, client *http.Client, method, url, body string) (status int, answer string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

func TestAbortClosesWithoutAnswer(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		url, client, set := service(t, http2)
		replace(t, set, `[{"fault":"abort","path":"/dog"}]`)
		if status, _, err := do(t, client, "GET", url+"/dog", ""); err == nil {
			t.Errorf("http2 %v: status %d", http2, status)
		}
		if status, answer, err := do(t, client, "GET", url+"/cat", ""); status != 200 || answer != "answer" {
			t.Errorf("http2 %v: other route: %d %s %v", http2, status, answer, err)
		}
	}
}

func TestBlackHoleEndsWithTheClient(t *testing.T) {
	url, client, set := service(t, false)
	replace(t, set, `[{"fault":"blackhole"}]`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
	if _, err := client.Do(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	// httptest.Server.Close waits for the handler, so it must have ended too.
}

func TestPauseGoesOnWhenTheRulesAreCleared(t *testing.T) {
	url, client, set := service(t, false)
	replace(t, set, `[{"fault":"pause","path":"/dog"}]`)
	got := make(chan int, 1)
	go func() {
		status, _, _ := do(t, client, "GET", url+"/dog", "")
		got <- status
	}()
	if status, _, err := do(t, client, "DELETE", url+"/faults", ""); status != http.StatusNoContent {
		t.Fatalf("delete: %d, %v", status, err)
	}
	if status := <-got; status != 200 {
		t.Errorf("status %d after the pause", status)
	}
}

func TestStatusAnswersAProblem(t *testing.T) {
	url, client, set := service(t, false)
	replace(t, set, `[{"fault":"status","status":507}]`)
	status, answer, err := do(t, client, "GET", url+"/dog", "")
	if err != nil || status != 507 || !strings.Contains(answer, "fault-injected") {
		t.Errorf("%d %s %v", status, answer, err)
	}
}

func TestNoSetIsNoMiddleware(t *testing.T) {
	var none *faults.Set
	mux := http.NewServeMux()
	if none.Wrap(mux) != http.Handler(mux) {
		t.Error("a nil set wraps")
	}
}

func TestAdministration(t *testing.T) {
	url, client, set := service(t, false)
	url += "/faults"
	if status, answer, _ := do(t, client, "GET", url, ""); status != 200 || strings.TrimSpace(answer) != "[]" {
		t.Errorf("no rules: %d %s", status, answer)
	}
	rules := `[{"path":"/dog","fault":"latency","delay":"100ms","jitter":"50ms","probability":0.5}]`
	if status, answer, _ := do(t, client, "PUT", url, rules); status != 200 || strings.TrimSpace(answer) != strings.NewReplacer(`"path":"/dog",`, `"path":"/dog","probability":0.5,`, `,"probability":0.5}`, `}`).Replace(rules) {
		t.Errorf("put: %d %s", status, answer)
	}
	if status, answer, _ := do(t, client, "PUT", url, `[{"fault":"latency"},{"fault":"boom"}]`); status != 400 {
		t.Errorf("wrong rules: %d %s", status, answer)
	} else {
		var problem struct{ Errors []string }
		if err := json.Unmarshal([]byte(answer), &problem); err != nil || len(problem.Errors) != 2 {
			t.Errorf("not every mistake is named: %s", answer)
		}
	}
	if n := len(set.Rules()); n != 1 || set.Rules()[0].Path != "/dog" {
		t.Errorf("a wrong PUT changed the rules: %v", set.Rules())
	}
	if status, _, _ := do(t, client, "PUT", url, "["+strings.Repeat(" ", 70<<10)+"]"); status != 413 {
		t.Errorf("huge body: %d", status)
	}
	if status, _, _ := do(t, client, "POST", url, ""); status != 405 {
		t.Errorf("post: %d", status)
	}
	if status, _, _ := do(t, client, "DELETE", url, ""); status != 204 || set.Rules() != nil {
		t.Errorf("delete: %d, %v", status, set.Rules())
	}
}
