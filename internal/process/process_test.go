package process_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type config struct {
	process.Contract
	Word string `env:"DEMO_WORD" envDefault:"hello" doc:"what it says"`
	Key  string `env:"DEMO_KEY" secret:"true" doc:"never shown"`
}

var program = process.Program{Name: "demo", About: "says a word"}

// demo is a running process of the test.
type demo struct {
	*processtest.Running
	data, admin string // URLs
}

// start runs a process that serves handler, with env above the defaults.
func start(t *testing.T, env map[string]string, build func(p *process.Process) http.Handler) *demo {
	t.Helper()
	cfg := processtest.Parse[config](t, program, env)
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error {
		p, err := process.Open(ctx, program, cfg.Contract, cfg)
		if err != nil {
			return err
		}
		p.Serve(&http.Server{Handler: build(p)})
		return p.Run(ctx)
	})
	return &demo{running, "http://" + running.Data, "http://" + running.Admin}
}

func get(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	resp, body := processtest.Get(t, url, header...)
	return resp.StatusCode, body
}

func TestRequestInFlightIsFinishedAndReadinessGoesFirst(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	d := start(t, map[string]string{"DRAIN_DELAY": "300ms"}, func(*process.Process) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				close(entered)
				<-release
			}
			fmt.Fprint(w, "done")
		})
	})
	slow := make(chan string, 1)
	go func() {
		resp, err := http.Get(d.data + "/slow")
		if err != nil {
			slow <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		slow <- string(b)
	}()
	<-entered
	d.Cancel()
	for { // not ready is told while requests are still taken
		if code, _ := get(t, d.admin+"/readyz"); code == 503 {
			break
		}
	}
	if code, body := get(t, d.data+"/"); code != 200 || body != "done" {
		t.Errorf("a request within the delay got %d %q", code, body)
	}
	if code, _ := get(t, d.admin+"/livez"); code != 200 {
		t.Errorf("a draining process must stay live, got %d", code)
	}
	close(release)
	if got := <-slow; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
}

func TestRequestThatNeverEndsIsCutOffAtTheTimeout(t *testing.T) {
	entered := make(chan struct{})
	d := start(t, map[string]string{"DRAIN_TIMEOUT": "50ms"}, func(*process.Process) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
		})
	})
	cut := make(chan error, 1)
	go func() {
		resp, err := http.Get(d.data)
		if err == nil {
			resp.Body.Close()
		}
		cut <- err
	}()
	<-entered
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	if err := <-cut; err == nil {
		t.Error("the request was answered")
	}
}

func TestFailedBackgroundWorkEndsTheProcessWithItsError(t *testing.T) {
	broken := errors.New("disk on fire")
	d := start(t, nil, func(p *process.Process) http.Handler {
		p.Go("writer", func(context.Context) error { return broken })
		return http.NotFoundHandler()
	})
	if err := d.Wait(); !errors.Is(err, broken) || !strings.Contains(err.Error(), "writer") {
		t.Errorf("error %v", err)
	}
}

func TestBackgroundWorkOutlivesTheDrain(t *testing.T) {
	ended := make(chan struct{})
	d := start(t, nil, func(p *process.Process) http.Handler {
		p.Go("checks", func(ctx context.Context) error {
			<-ctx.Done()
			close(ended)
			return ctx.Err()
		})
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			select {
			case <-ended:
				t.Error("background work ended before the last request")
			default:
			}
		})
	})
	get(t, d.data)
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
	<-ended
}

func TestProtectedPathsNeedTheToken(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, map[string]string{"ADMIN_TOKEN_FILE": token, "DEMO_KEY": "hunter2"}, func(*process.Process) http.Handler { return http.NotFoundHandler() })
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/version"} {
		if code, _ := get(t, d.admin+path); code != 200 {
			t.Errorf("%s: %d", path, code)
		}
	}
	for _, path := range []string{"/configz", "/debug/pprof/"} {
		if code, body := get(t, d.admin+path); code != 401 || !strings.Contains(body, "token-required") {
			t.Errorf("%s without a token: %d %s", path, code, body)
		}
		if code, _ := get(t, d.admin+path, "Authorization", "Bearer 0123456789abcdeX"); code != 401 {
			t.Errorf("%s with a wrong token: %d", path, code)
		}
	}
	code, body := get(t, d.admin+"/configz", "Authorization", "Bearer 0123456789abcdef")
	if code != 200 || !strings.Contains(body, `"DEMO_WORD": "hello"`) || strings.Contains(body, "hunter2") {
		t.Errorf("%d %s", code, body)
	}
}

func TestTakenPortIsAnErrorAndLeavesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg, err := process.Parse[config](program, map[string]string{"ADMIN_ADDR": "127.0.0.1:0", "LISTEN_ADDR": taken.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = process.Open(t.Context(), program, cfg.Contract, cfg); err == nil || !strings.Contains(err.Error(), "data listener") {
		t.Errorf("error %v", err)
	}
}

func TestHalfOfATLSPairIsRefused(t *testing.T) {
	cfg, err := process.Parse[config](program, map[string]string{"TLS_CERT_FILE": "x", "LOG_FORMAT": "xml"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = process.Open(t.Context(), program, cfg.Contract, cfg)
	if err == nil || !strings.Contains(err.Error(), "TLS_KEY_FILE") || !strings.Contains(err.Error(), "LOG_FORMAT") {
		t.Errorf("error %v", err)
	}
}
