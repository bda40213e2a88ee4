package redismetrics_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/adapters/redismetrics"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs redismetrics in this process and returns its URL.
func start(t *testing.T, env map[string]string) string {
	t.Helper()
	cfg := processtest.Parse[redismetrics.Config](t, redismetrics.Program, env)
	return "http://" + processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return redismetrics.Run(ctx, cfg) }).Data
}

func get(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// scrape returns the metric families at a URL, which must be well-formed.
func scrape(t *testing.T, url string, header ...string) map[string]*dto.MetricFamily {
	t.Helper()
	status, body := get(t, url, header...)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", url, status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatalf("%v in\n%s", err, body)
	}
	return families
}

// value is the value of a metric with some of its labels, as name=value.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) (float64, bool) {
	for _, m := range families[name].GetMetric() {
		var have []string
		for _, l := range m.GetLabel() {
			have = append(have, l.GetName()+"="+l.GetValue())
		}
		if slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(have, l) }) {
			continue
		}
		switch {
		case m.Gauge != nil:
			return m.GetGauge().GetValue(), true
		case m.Counter != nil:
			return m.GetCounter().GetValue(), true
		case m.Summary != nil:
			return m.GetSummary().GetSampleSum(), true
		case m.Histogram != nil:
			return m.GetHistogram().GetSampleSum(), true
		}
	}
	return 0, false
}

func want(t *testing.T, families map[string]*dto.MetricFamily, expected float64, name string, labels ...string) {
	t.Helper()
	got, ok := value(families, name, labels...)
	if !ok || got != expected {
		t.Errorf("%s%v is %v (there: %v), want %v", name, labels, got, ok, expected)
	}
}

// shapes lists families as "name type label,label", those of a kind once.
func shapes(families map[string]*dto.MetricFamily) []string {
	var all []string
	for name, f := range families {
		if !strings.HasPrefix(name, "redis_") || len(f.GetMetric()) == 0 {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		all = append(all, strings.TrimSpace(name+" "+strings.ToLower(f.GetType().String())+" "+strings.Join(labels, ",")))
	}
	slices.Sort(all)
	return all
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// within fails when a call takes longer than it may.
func within(t *testing.T, limit time.Duration, call func()) {
	t.Helper()
	began := time.Now()
	call()
	if took := time.Since(began); took > limit {
		t.Errorf("it took %v, want at most %v", took, limit)
	}
}

// golden compares lines with those of a file.
func golden(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range bytes.Lines(text) {
		if l := strings.TrimSpace(string(line)); l != "" && l[0] != '#' {
			lines = append(lines, l)
		}
	}
	return lines
}
