package limit

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.yaml.in/yaml/v3"
)

func TestTheFieldsTellWhatRemains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(Options{Limits: Limits{{Name: "words", Prefix: "/", Anonymous: &Rate{0.5, 3}}}})
		if err != nil {
			t.Fatal(err)
		}
		const policy = `"words";q=3;w=6`
		for i, want := range []map[string]string{
			{"RateLimit": `"words";r=2;t=2`, "X-RateLimit-Remaining": "2", "X-RateLimit-Reset": "2"},
			{"RateLimit": `"words";r=1;t=4`, "X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "4"},
			{"RateLimit": `"words";r=0;t=6`, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "6"},
			{"RateLimit": `"words";r=0;t=6`, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "6", "Retry-After": "2"},
		} {
			d := l.Decide(client(1), "/dog")
			want["RateLimit-Policy"], want["X-RateLimit-Limit"] = policy, "3"
			h := http.Header{}
			d.WriteHeader(h)
			if len(h) != len(want) || d.Allowed != (i < 3) {
				t.Errorf("request %d: allowed %v, %v", i, d.Allowed, h)
			}
			for name, value := range want {
				if got := h.Get(name); got != value {
					t.Errorf("request %d: %s: %s, want %s", i, name, got, value)
				}
			}
		}
		time.Sleep(2 * time.Second) // as Retry-After said
		if !l.Decide(client(1), "/dog").Allowed {
			t.Error("refused after Retry-After")
		}
	})
}

func TestNoLimitMeansNoFields(t *testing.T) {
	l, err := New(Options{Limits: Limits{{Name: "api", Prefix: "/v1/", Anonymous: &Rate{1, 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	d := l.Decide(client(1), "/dog")
	if d.WriteHeader(h); !d.Allowed || d.Limited() || len(h) != 0 {
		t.Errorf("%+v, %v", d, h)
	}
}

func TestRefusalsAreProblems(t *testing.T) {
	w := httptest.NewRecorder()
	Decision{Class: "words", RetryAfter: 1500 * time.Millisecond}.Problem().Write(w)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 429 || w.Header().Get("Retry-After") != "2" || body["class"] != "words" {
		t.Errorf("%d %v %s %v", w.Code, w.Header(), w.Body, err)
	}
	w = httptest.NewRecorder()
	if Overloaded().Write(w); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestAFloodIsCountedAndLoggedWithBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		registry := prometheus.NewRegistry()
		l, err := New(Options{Limits: classOf(10, 10), Metrics: registry, Log: slog.New(slog.NewJSONHandler(&lines, nil))})
		if err != nil {
			t.Fatal(err)
		}
		for range 4000 { // four seconds
			for i := range 10 {
				l.Decide(client(i), "/dog")
			}
			time.Sleep(time.Millisecond)
		}
		allowed := testutil.ToFloat64(l.metrics.requests.WithLabelValues("all", "anonymous", "allowed"))
		limited := testutil.ToFloat64(l.metrics.requests.WithLabelValues("all", "anonymous", "limited"))
		if allowed+limited != 40000 || allowed < 490 || allowed > 500 {
			t.Errorf("counted %v allowed and %v limited", allowed, limited)
		}
		if n := strings.Count(lines.String(), "\n"); n < 1 || n > 20 {
			t.Errorf("%d lines in four seconds:\n%s", n, lines.String())
		}
		if !strings.Contains(lines.String(), `"client":"10.0.0.0"`) {
			t.Errorf("no line says who:\n%s", lines.String())
		}
		if _, err := registry.Gather(); err != nil {
			t.Error(err)
		}
	})
}

func TestAPolicyWithMistakesNamesThemAll(t *testing.T) {
	var l Limits
	err := yaml.Unmarshal([]byte(`
- {name: words, prefix: /, anonymous: {rate: 50, burst: 20}, login: {rate: 100, burst: 40}}
- {name: words, prefix: /, anonymous: {rate: 0, burst: 0}}
- {name: "a b", prefix: v1, login: {rate: .nan, burst: 5}}
- {name: api, prefix: "/v1?x", anonymous: {rate: 1000, burst: 49}}
- {name: huge, prefix: /huge, anonymous: {rate: .inf, burst: 99999999}}
`), &l)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, e := range l.Validate("limits") {
		text.WriteString(e.Error() + "\n")
	}
	const want = `limits[1] words: name "words" is used twice
limits[1] words: prefix "/" is used twice
limits[1] words: anonymous: rate 0: want requests per second, more than 0 and at most 1000000
limits[1] words: anonymous: burst 0: want 1 to 10000000 requests
limits[2] a b: name "a b": want 1 to 40 letters, digits, - or _
limits[2] a b: prefix "v1": want a path that begins with /
limits[2] a b: login: rate NaN: want requests per second, more than 0 and at most 1000000
limits[3] api: prefix "/v1?x": want a path that begins with /
limits[3] api: anonymous: burst 49: want at least a twentieth of the rate 1000
limits[4] huge: anonymous: rate +Inf: want requests per second, more than 0 and at most 1000000
limits[4] huge: anonymous: burst 99999999: want 1 to 10000000 requests
`
	if text.String() != want {
		t.Errorf("got\n%swant\n%s", text.String(), want)
	}
	if errs := make(Limits, MaxClasses+1).Validate("limits"); len(errs) != 1 {
		t.Errorf("too many classes: %v", errs)
	}
}
