package lookups

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/openapi"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeDictionary knows two words, and counts.
type fakeDictionary struct {
	asked  atomic.Int32
	broken atomic.Bool
}

func (d *fakeDictionary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.asked.Add(1)
	switch {
	case d.broken.Load():
		_, _ = io.WriteString(w, "{ no JSON")
	case r.URL.Path == "/v1/words/dog", r.URL.Path == "/v1/words/tcp/ip" && strings.Contains(r.URL.RawPath, "%2F"):
		_, _ = io.WriteString(w, `{"word": "dog",`+"\n"+` "entries": []}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// startLookups starts the application before a dictionary and Redis, and returns
// its URL and that of its administration.
func startLookups(t *testing.T, d http.Handler, env map[string]string) (url, admin string) {
	t.Helper()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	all := map[string]string{"CHECK_INTERVAL": "0s", "LOOKUPS_DICTIONARY": server.Listener.Addr().String(), "LOOKUPS_REDIS_TIMEOUT": "300ms"}
	maps.Copy(all, env)
	cfg := processtest.Parse[Config](t, Program, all)
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return "http://" + running.Data, "http://" + running.Admin
}

func look(t *testing.T, url, word string) (int, Answer, string) {
	t.Helper()
	response, body := processtest.Get(t, url+"/v1/lookups/"+word)
	var a Answer
	_ = json.Unmarshal([]byte(body), &a) // a problem has other members
	return response.StatusCode, a, body
}

func TestWithoutRedisTheAnswerIsTheSame(t *testing.T) {
	d := &fakeDictionary{}
	url, _ := startLookups(t, d, map[string]string{"LOOKUPS_REDIS_ADDR": nettest.Refuse(t)})
	for range 2 {
		if status, a, body := look(t, url, "dog"); status != 200 || a.Cache != unavailable || string(a.Entry) != `{"word":"dog","entries":[]}` {
			t.Errorf("%d %s", status, body)
		}
	}
	if d.asked.Load() != 2 {
		t.Errorf("the dictionary was asked %d times", d.asked.Load())
	}
}

func TestARedisThatHangsIsGivenUpInTime(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	url, _ := startLookups(t, &fakeDictionary{}, map[string]string{"LOOKUPS_REDIS_ADDR": ln.Addr().String()})
	began := time.Now()
	status, a, body := look(t, url, "dog")
	if took := time.Since(began); status != 200 || a.Cache != unavailable || took > 10*time.Second {
		t.Errorf("%d %s after %v", status, body, took)
	}
}

func TestMistakesAreProblems(t *testing.T) {
	m := miniredis.RunT(t)
	d := &fakeDictionary{}
	url, _ := startLookups(t, d, map[string]string{"LOOKUPS_REDIS_ADDR": m.Addr()})
	for word, want := range map[string]string{
		"nosuchword": "404 #word-not-found", "%01": "400 #word-invalid", "%ff": "400 #word-invalid", strings.Repeat("x", 129): "400 #word-invalid",
	} {
		status, _, body := look(t, url, word)
		code, kind, _ := strings.Cut(want, " ")
		if http.StatusText(status) == "" || !strings.Contains(body, kind) || !strings.Contains(body, `"status":`+code) {
			t.Errorf("%q: %d %s", word, status, body)
		}
	}
	d.broken.Store(true)
	if status, _, body := look(t, url, "cat"); status != 502 || !strings.Contains(body, "#upstream-failed") || strings.Contains(body, "JSON") {
		t.Errorf("%d %s", status, body)
	}
	if len(m.Keys()) != 0 {
		t.Errorf("a failure was kept: %v", m.Keys())
	}
}

func TestAWordIsAskedForOnceInItsTime(t *testing.T) {
	m := miniredis.RunT(t)
	d := &fakeDictionary{}
	url, _ := startLookups(t, d, map[string]string{"LOOKUPS_REDIS_ADDR": m.Addr(), "LOOKUPS_TTL": "1m"})
	for i, want := range []string{miss, hit, hit} {
		word := []string{"dog", "Dog", "dog"}[i]
		if status, a, body := look(t, url, word); status != 200 || a.Cache != want || a.Word != "dog" || string(a.Entry) != `{"word":"dog","entries":[]}` {
			t.Errorf("%d: %d %s", i, status, body)
		}
	}
	if d.asked.Load() != 1 {
		t.Errorf("the dictionary was asked %d times", d.asked.Load())
	}
	m.FastForward(61 * time.Second)
	if _, a, _ := look(t, url, "dog"); a.Cache != miss {
		t.Errorf("after its time: %s", a.Cache)
	}
	if status, a, body := look(t, url, "tcp%2Fip"); status != 200 || a.Word != "tcp/ip" {
		t.Errorf("%d %s", status, body)
	}
}

// The dictionary is ill; the program is told to believe no bad check, to try twice,
// and to eject at once. With the defaults it would not be asked at all, or three
// times, and would not be ejected.
func TestChecksEjectionAndRetriesAreAsSet(t *testing.T) {
	var checks, asked atomic.Int32
	enough := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			asked.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		switch checks.Add(1) {
		case 1: // well
			return
		case 10:
			close(enough)
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer server.Close()
	addr := server.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	url, admin := startLookups(t, nil, map[string]string{
		"LOOKUPS_REDIS_ADDR": nettest.Refuse(t), "LOOKUPS_DICTIONARY": addr + "/" + port, "CHECK_INTERVAL": "1ms", "CHECK_DOWN": "1000000", "RETRY_ATTEMPTS": "2", "EJECT_AFTER": "1",
	})
	<-enough
	if status, _, body := look(t, url, "dog"); status != http.StatusBadGateway || asked.Load() != 2 {
		t.Errorf("asked %d times: %d %s", asked.Load(), status, body)
	}
	if _, metrics := processtest.Get(t, admin+"/metrics"); !strings.Contains(metrics, `upstream_ejections_total{endpoint="`+addr+`",upstream="dictionary"} 1`) {
		t.Error("the dictionary was not ejected")
	}
}

func TestWrongParametersAreNamedTogether(t *testing.T) {
	t.Parallel()
	cfg := processtest.Parse[Config](t, Program, map[string]string{"LOOKUPS_DICTIONARY": "a:1", "LOOKUPS_TTL": "1ms", "LOOKUPS_REDIS_TIMEOUT": "0s", "CHECK_TIMEOUT": "0s", "RETRY_ATTEMPTS": "0"})
	err := Run(t.Context(), cfg)
	for _, want := range []string{"LOOKUPS_TTL", "LOOKUPS_REDIS_TIMEOUT", "CHECK_TIMEOUT", "RETRY_ATTEMPTS"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	routes(e, &lookups{})
	diff, err := openapi.Diff(document, e.Routes())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}
