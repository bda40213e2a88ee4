package dbhealth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/openapi"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "s3cret-word"

// start runs the program as its main would, and stops it with the test.
func start(t *testing.T, environ map[string]string) (url, admin string) {
	t.Helper()
	env := map[string]string{"LOG_LEVEL": "ERROR+4", "DBHEALTH_USER": "probe", "DBHEALTH_TTL": "0s"}
	maps.Copy(env, environ)
	cfg := processtest.Parse[Config](t, Program, env)
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return "http://" + running.Data, "http://" + running.Admin
}

// probe asks one of the questions.
func probe(t *testing.T, url string) (int, Report) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, inner := range []string{secret, "127.0.0.1", "dial tcp"} {
		if bytes.Contains(body, []byte(inner)) {
			t.Errorf("%q is told: %s", inner, body)
		}
	}
	return resp.StatusCode, r
}

// mute is a server that does with each connection what the test wants.
func mute(t *testing.T, serve func(net.Conn)) (addr string, connections *atomic.Int32) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var n atomic.Int32
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			wg.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String(), &n
}

func silence(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func says(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, text)
		silence(conn)
	}
}

// errorPacket is what MySQL sends in place of its greeting.
func errorPacket(code int, text string) string {
	return string([]byte{byte(len(text) + 3), 0, 0, 0, 0xff, byte(code), byte(code >> 8)}) + text
}

func TestEveryWayOfNotBeingReadyHasAReason(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		engine string
		serve  func(net.Conn)
		reason Reason
	}{
		"mysql, silent":            {"mysql", silence, NoAnswer},
		"mysql, closes":            {"mysql", func(net.Conn) {}, NoAnswer},
		"mysql, too many":          {"mysql", says(errorPacket(1040, "Too many connections")), TooMany},
		"mysql, host blocked":      {"mysql", says(errorPacket(1129, "Host is blocked")), QueryFailed},
		"mysql, host not allowed":  {"mysql", says(errorPacket(1130, "Host 127.0.0.1 not allowed")), LoginRefused},
		"mysql, shuts down":        {"mysql", says(errorPacket(1053, "Server shutdown in progress")), Starting},
		"mysql, speaks SSH":        {"mysql", says("SSH-2.0-OpenSSH_9.2\r\n"), TooSlow},
		"mysql, half a greeting":   {"mysql", says("\x4a\x00\x00\x00\x0a8.0"), TooSlow},
		"mysql, breaks off":        {"mysql", func(c net.Conn) { _, _ = io.WriteString(c, "\x4a\x00\x00\x00\x0a8.0") }, Broken},
		"postgres, silent":         {"postgres", silence, NoAnswer},
		"postgres, starting":       {"postgres", pgSays("57P03"), Starting},
		"postgres, too many":       {"postgres", pgSays("53300"), TooMany},
		"postgres, no such user":   {"postgres", pgSays("28000"), LoginRefused},
		"postgres, no database":    {"postgres", pgSays("3D000"), NoDatabase},
		"postgres, something else": {"postgres", pgSays("XX000"), QueryFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, _ := mute(t, c.serve)
			url, _ := start(t, map[string]string{"DBHEALTH_ENGINE": c.engine, "DBHEALTH_ADDRESS": addr, "DBHEALTH_DATABASE": "d", "DBHEALTH_TIMEOUT": "1s"})
			began := time.Now()
			code, r := probe(t, url+"/database/readyz")
			if code != 503 || r.Ready || r.Reason != c.reason || r.Detail == "" || !r.Live {
				t.Errorf("%d %+v, want %s", code, r, c.reason)
			}
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// pgSays is a PostgreSQL that hears the client out and refuses.
func pgSays(state string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1024))
		fields := "SFATAL\x00C" + state + "\x00Mdatabase on 127.0.0.1 says no\x00\x00"
		_, _ = io.WriteString(conn, "E\x00\x00\x00"+string([]byte{byte(len(fields) + 4)})+fields)
		silence(conn)
	}
}

func TestHoweverManyAskTheDatabaseSeesOneConnection(t *testing.T) {
	t.Parallel()
	addr, connections := mute(t, silence)
	url, _ := start(t, map[string]string{"DBHEALTH_ADDRESS": addr, "DBHEALTH_TIMEOUT": "300ms"})
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 0}}
	defer client.CloseIdleConnections()
	var askers sync.WaitGroup
	var late atomic.Int32
	for range 100 {
		for _, path := range []string{"/database/livez", "/database/readyz"} {
			askers.Go(func() {
				began := time.Now()
				resp, err := client.Get(url + path)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				if time.Since(began) > 5*time.Second {
					late.Add(1)
				}
			})
		}
	}
	askers.Wait()
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 200 probes", n)
	}
	if late.Load() > 0 {
		t.Errorf("%d probes had no answer in time", late.Load())
	}
}

// clockwork is a monitor on the clock of the test, with checks that do as told.
type clockwork struct {
	*monitor
	mu   sync.Mutex
	do   func(context.Context, *ear) (findings, error)
	runs int
}

func newClockwork(t *testing.T) *clockwork {
	t.Helper()
	c := &clockwork{}
	ctx, cancel := context.WithCancel(context.Background())
	cfg := Config{Timeout: 700 * time.Millisecond, TTL: time.Second, HangLimit: 30 * time.Second, StopLimit: 5 * time.Minute}
	c.monitor = newMonitor(ctx, cfg, func(ctx context.Context, e *ear) (findings, error) {
		c.mu.Lock()
		c.runs++
		do := c.do
		c.mu.Unlock()
		return do(ctx, e)
	}, slog.New(slog.DiscardHandler), newMetrics(prometheus.NewRegistry()))
	t.Cleanup(func() {
		cancel()
		c.checks.Wait()
	})
	return c
}

func (c *clockwork) set(do func(context.Context, *ear) (findings, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.do = do
}

func speaks(err error) func(context.Context, *ear) (findings, error) {
	return func(_ context.Context, e *ear) (findings, error) {
		e.heard.Store(true)
		return findings{rows: 1}, err
	}
}

func refuses(_ context.Context, e *ear) (findings, error) {
	e.refused.Store(true)
	return findings{}, not(Refused, "")
}

func hangs(ctx context.Context, _ *ear) (findings, error) {
	<-ctx.Done()
	return findings{}, not(NoAnswer, "")
}

func TestOnlySilenceThatLastsIsDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		alive := func(what string, want bool) {
			t.Helper()
			began := time.Now()
			s := c.look(context.Background())
			if took := time.Since(began); took > 700*time.Millisecond {
				t.Errorf("%s: the answer took %v", what, took)
			}
			if c.alive(s) != want {
				t.Errorf("%s, after %v: alive is %t (%+v)", what, time.Since(s.since), !want, s)
			}
		}
		every := func(d time.Duration, what string) {
			t.Helper()
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(2 * time.Second) {
				alive(what, true)
			}
		}
		for _, r := range []Reason{LoginRefused, TooMany, QueryFailed, TooSlow, Rows} {
			c.set(speaks(not(r, "")))
			every(10*time.Minute, string(r))
		}
		c.set(hangs)
		every(28*time.Second, "hanging")
		time.Sleep(4 * time.Second)
		alive("hanging", false)
		c.set(refuses) // it is being restarted: its recovery has time
		time.Sleep(11 * time.Second)
		every(4*time.Minute+45*time.Second, "starting")
		time.Sleep(20 * time.Second)
		alive("stopped", false)
		c.set(speaks(nil))
		time.Sleep(2 * time.Second)
		alive("back", true)
	})
}

func TestADatabaseThatNeedsSecondsToGreetIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		c.set(func(ctx context.Context, e *ear) (findings, error) { // overloaded: eight seconds for each answer
			select {
			case <-time.After(8 * time.Second):
				e.heard.Store(true)
				return findings{}, not(TooSlow, "")
			case <-ctx.Done():
				return findings{}, not(NoAnswer, "")
			}
		})
		for range 100 {
			s := c.look(context.Background())
			if !c.alive(s) || s.err == nil {
				t.Fatalf("%+v", s)
			}
			time.Sleep(3 * time.Second)
		}
	})
}

func TestAnAnswerIsUsedForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		c.set(speaks(nil))
		for range 50 { // ten seconds
			if s := c.look(context.Background()); s.err != nil {
				t.Fatal(s.err)
			}
			time.Sleep(200 * time.Millisecond)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.runs != 10 {
			t.Errorf("%d checks in ten seconds", c.runs)
		}
	})
}

func TestAProberThatLeavesIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClockwork(t)
		c.set(hangs)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		began := time.Now()
		c.look(ctx)
		if time.Since(began) > 0 {
			t.Error("it was waited for")
		}
		time.Sleep(time.Minute)
	})
}

func TestTheAdapterIsWellWhenItsDatabaseIsNot(t *testing.T) {
	t.Parallel()
	url, admin := start(t, map[string]string{"DBHEALTH_ADDRESS": "127.0.0.1:1"})
	if code, r := probe(t, url+"/v1/health"); code != 503 || r.Reason != Refused || r.Pulse != Stopped || r.Limit != 300 {
		t.Errorf("%d %+v", code, r)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		resp, err := http.Get(admin + path)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %v, %v", path, resp, err)
		}
		resp.Body.Close()
	}
	resp, err := http.Get(admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for _, line := range []string{`dbhealth_checks_total{reason="refused"} 1`, "dbhealth_database_ready 0", "dbhealth_database_live 1"} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
}

func TestAPasswordFileThatIsGoneIsNotTheDatabasesFault(t *testing.T) {
	t.Parallel()
	url, _ := start(t, map[string]string{"DBHEALTH_ADDRESS": "127.0.0.1:1", "DBHEALTH_PASSWORD_FILE": filepath.Join(t.TempDir(), "none")})
	if code, r := probe(t, url+"/database/livez"); code != 200 || r.Reason != Misconfigured || r.Pulse != Unheard {
		t.Errorf("%d %+v", code, r)
	}
}

func TestAPasswordIsOfBoundedSize(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, make([]byte, watch.MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (Config{PasswordFile: file}).password(); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	t.Parallel()
	cfg, err := process.Parse[Config](Program, map[string]string{
		"DBHEALTH_USER": "x", "DBHEALTH_ENGINE": "postgres", "DBHEALTH_ADDRESS": "db", "DBHEALTH_TIMEOUT": "1ms", "DBHEALTH_HANG_LIMIT": "0s", "DBHEALTH_STOP_LIMIT": "0s",
		"DBHEALTH_MIN_ROWS": "5", "DBHEALTH_MAX_ROWS": "0", "DBHEALTH_VALUE": "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(context.Background(), cfg)
	for _, name := range []string{"ADDRESS", "DATABASE", "TIMEOUT", "HANG_LIMIT", "STOP_LIMIT", "MAX_ROWS", "VALUE"} {
		if err == nil || !strings.Contains(err.Error(), "DBHEALTH_"+name) {
			t.Errorf("DBHEALTH_%s is not named in: %v", name, err)
		}
	}
	if _, err := process.Parse[Config](Program, map[string]string{"DBHEALTH_ENGINE": "oracle"}); err == nil || !strings.Contains(err.Error(), "DBHEALTH_USER") || !strings.Contains(err.Error(), "want mysql") {
		t.Error(err)
	}
}

func TestVerdictsAreFoundInWrappedErrors(t *testing.T) {
	t.Parallel()
	if r := reason(fmt.Errorf("x: %w", not(Rows, "y"))); r != Rows {
		t.Error(r)
	}
	if r := reason(errors.New("x")); r != Broken {
		t.Error(r)
	}
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	routes(e, nil)
	diff, err := openapi.Diff(document, e.Routes())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
	for _, r := range append(reasons(), NotAsked) {
		if !strings.Contains(string(document), string(r)) {
			t.Errorf("the reason %s is not described", r)
		}
	}
}
