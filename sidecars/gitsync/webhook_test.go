package gitsync_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/internal/gittest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

const secret = "a-secret-of-some-length"

func sign(key, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestOnlyTheSignedCallIsTaken(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	one := repo.Push("a", "1")
	s := start(t, server.URL, "GITSYNC_PERIOD", "0s", "GITSYNC_WEBHOOK_SECRET_FILE", file(t, secret+"\n"))
	s.awaitRevision(one)
	two := repo.Push("a", "2")
	url := "http://" + s.Data + "/v1/sync"
	for name, header := range map[string][]string{
		"none": nil, "wrong key": {"X-Hub-Signature-256", sign("another-secret", "{}")}, "other body": {"X-Hub-Signature-256", sign(secret, "{ }")},
		"no prefix": {"X-Hub-Signature-256", sign(secret, "{}")[7:]}, "half": {"X-Hub-Signature-256", sign(secret, "{}")[:30]},
		"old digest": {"X-Hub-Signature", "sha1=00"}, "bearer": {"Authorization", "Bearer " + secret[1:]}, "bare": {"Authorization", secret},
		"forwarded": {"X-Forwarded-For", "127.0.0.1"},
	} {
		resp, body := processtest.Do(t, http.DefaultClient, http.MethodPost, url, "{}", header...)
		if resp.StatusCode != 401 || !strings.Contains(body, "#signature-required") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	if got := s.status().Revision; got != one {
		t.Fatalf("somebody's call was taken: %s", got)
	}
	if resp, _ := processtest.Do(t, http.DefaultClient, http.MethodPost, url, strings.Repeat("x", 2<<20)); resp.StatusCode != 413 {
		t.Errorf("a body of 2 MiB: %d", resp.StatusCode)
	}
	resp, body := processtest.Do(t, http.DefaultClient, http.MethodPost, url, "{}", "X-Hub-Signature-256", sign(secret, "{}"))
	if resp.StatusCode != 202 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	s.awaitRevision(two)
	three := repo.Push("a", "3")
	if resp, _ := processtest.Do(t, http.DefaultClient, http.MethodPost, url, "", "Authorization", "Bearer "+secret); resp.StatusCode != 202 {
		t.Errorf("bearer: %d", resp.StatusCode)
	}
	s.awaitRevision(three)
}

func TestManyCallsAreFewAttempts(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	one := repo.Push("a", "1")
	s := start(t, server.URL, "GITSYNC_PERIOD", "0s", "GITSYNC_SYNC_RATE", "10") // no secret: loopback
	s.awaitRevision(one)
	before, accepted, limited := server.Requests.Load(), 0, 0
	for range 100 {
		resp, body := processtest.Do(t, http.DefaultClient, http.MethodPost, "http://"+s.Data+"/v1/sync", "")
		switch resp.StatusCode {
		case 202:
			accepted++
		case 429:
			limited++
			if resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "#rate-limited") {
				t.Error(body)
			}
		default:
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	if accepted < 20 || limited == 0 {
		t.Errorf("%d accepted, %d limited", accepted, limited)
	}
	if asked := server.Requests.Load() - before; asked > int64(accepted)+1 {
		t.Errorf("%d requests for %d calls", asked, accepted)
	}
}

func TestTheHookIsCalledUntilItTakesTheRevision(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	var calls atomic.Int64
	taken := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(r.Body)
		taken <- string(body)
	}))
	defer hook.Close()
	hash := repo.Push("a", "1")
	s := start(t, server.URL, "GITSYNC_HOOK_URL", hook.URL)
	if body := <-taken; !strings.Contains(body, hash) {
		t.Error(body)
	}
	await.That(t, "that it is told", func() bool {
		text, err := json.Marshal(s.status().Notice)
		return err == nil && strings.Contains(string(text), `"pending":false`) && strings.Contains(string(text), hash)
	})
	if n := calls.Load(); n != 3 {
		t.Errorf("%d calls", n)
	}
}

func TestTheApplicationIsSignalled(t *testing.T) {
	repo := gittest.New(t)
	server := gittest.Serve(t, repo)
	pid := t.TempDir() + "/pid"
	// Not SIGHUP: a shell that is started with it ignored, as by nohup, cannot trap it.
	app := exec.CommandContext(t.Context(), "sh", "-c", `trap 'echo reloaded; exit' USR1; echo $$ > "$0.new"; mv "$0.new" "$0"; while :; do sleep 0.05; done`, pid)
	out, err := app.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the pid file", func() bool { _, err := os.Stat(pid); return err == nil })
	start(t, server.URL, "GITSYNC_SIGNAL", "SIGUSR1", "GITSYNC_PID_FILE", pid)
	repo.Push("a", "1")
	if text, err := io.ReadAll(out); err != nil || string(text) != "reloaded\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := app.Wait(); err != nil {
		t.Error(err)
	}
}
