package lognorm_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/flotilla-dev/flotilla/adapters/lognorm"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// sampler is a collector that answers as it is told.
type sampler struct {
	*httptest.Server
	mu      sync.Mutex
	answers []int // statuses to give, then 200
	bodies  []string
	headers []http.Header
}

func collector(t *testing.T, answers ...int) *sampler {
	c := &sampler{answers: answers}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		status := 200
		if len(c.answers) > 0 {
			status, c.answers = c.answers[0], c.answers[1:]
		}
		if status == 200 {
			c.bodies = append(c.bodies, string(body))
			c.headers = append(c.headers, r.Header)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, `{"partialSuccess":{}}`)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *sampler) env(more map[string]string) func(*lognorm.Config) {
	return func(cfg *lognorm.Config) {
		cfg.Getenv = func(name string) string {
			if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
				return c.URL
			}
			return more[name]
		}
	}
}

// records decodes what the collector got with the schema of OTLP.
func (c *sampler) records(t *testing.T) (all []*logspb.LogRecord, resources, scopes map[string]int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	resources, scopes = map[string]int{}, map[string]int{}
	for _, body := range c.bodies {
		var data logspb.LogsData
		if err := protojson.Unmarshal([]byte(body), &data); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		for _, r := range data.ResourceLogs {
			for _, s := range r.ScopeLogs {
				all = append(all, s.LogRecords...)
				scopes[s.GetScope().GetName()] += len(s.LogRecords)
				for _, a := range r.GetResource().GetAttributes() {
					resources[a.Key+"="+a.Value.GetStringValue()] += len(s.LogRecords)
				}
			}
		}
	}
	return all, resources, scopes
}

func TestRecordsReachACollectorInTheSchemaOfOTLP(t *testing.T) {
	c := collector(t)
	l := newLogs(t)
	l.append("app.log", `{"time":"2024-03-05T10:11:12.5Z","level":"ERROR","logger":"db","msg":"a\ud83d","n":1,"f":1.5,"big":1e999,"b":true,"z":null,"deep":{"a":["x",{}]},"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}
Mar  5 10:11:12 host sshd[42]: Accepted
192.0.2.1 - - [05/Mar/2024:10:11:12 +0100] "GET / HTTP/1.1" 200 512 "https://example.com/" "c"
`)
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_SERVICE": "shop"}, c.env(map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b"}))
	await.That(t, "the collector has them", func() bool { return r.source("files").Records == 3 })
	all, resources, scopes := c.records(t)
	if len(all) != 3 || resources["service.name=shop"] != 3 || resources["host.name=host"] != 1 || scopes["db"] != 1 || scopes[""] != 2 || c.headers[0].Get("X-Key") != "a b" {
		t.Fatalf("%d records, resources %v, scopes %v", len(all), resources, scopes)
	}
	first := all[0]
	if first.TimeUnixNano != 1709633472500000000 || first.SeverityNumber != 17 || first.SeverityText != "ERROR" || first.Body.GetStringValue() != "a\ufffd" || first.ObservedTimeUnixNano == 0 {
		t.Errorf("%+v", first)
	}
	attributes := map[string]string{}
	for _, a := range first.Attributes {
		text, _ := json.Marshal(a.Value)
		attributes[a.Key] = string(text)
	}
	for key, want := range map[string]string{"n": "1", "f": "1.5", "big": "1e999", "b": "true", "deep": `"x"`, "log.file.name": "app.log"} {
		if !strings.Contains(attributes[key], want) {
			t.Errorf("%s is %s, want %s", key, attributes[key], want)
		}
	}
	if !strings.Contains(c.bodies[0], `"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7"`) {
		t.Error(c.bodies[0])
	}
}

func TestACollectorThatIsAwayIsAskedAgainAndLosesNothing(t *testing.T) {
	c := collector(t, 503, 429, 502, 200, 504)
	l := newLogs(t)
	l.append("app.log", numbered(0, 3000))
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log")}, c.env(nil))
	await.That(t, "all records leave", func() bool { return r.source("files").Lines == 3000 })
	if all, _, _ := c.records(t); len(all) != 3000 || len(r.source("files").Lost) != 0 {
		t.Errorf("%d records, lost %v", len(all), r.source("files").Lost)
	}
}

func TestWhatACollectorRefusesIsCountedAndOnTheOutputStill(t *testing.T) {
	c := collector(t, 400)
	l := newLogs(t)
	l.append("app.log", numbered(0, 10))
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log")}, c.env(nil))
	wantEach(t, r.await(10), 10)
	await.That(t, "the refusal is counted", func() bool { return r.source("files").Lost["refused"].Records > 0 })
}

func TestACollectorThatStaysAwayIsGivenUp(t *testing.T) {
	c := collector(t)
	c.Close()
	l := newLogs(t)
	l.append("app.log", numbered(0, 10))
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_OTLP_PATIENCE": "200ms"}, c.env(nil))
	wantEach(t, r.await(10), 10)
	await.That(t, "the loss is counted", func() bool { return r.source("files").Lost["collector away"].Records > 0 })
}

// While a collector is waited for, an end in order leaves the records to the
// next start.
func TestRecordsThatACollectorHasNotTakenAreReadAgain(t *testing.T) {
	c := collector(t)
	c.Close()
	l := newLogs(t)
	l.append("app.log", numbered(0, 10))
	env := map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_STATE_FILE": l.path("state.json"), "LOGNORM_OTLP_PATIENCE": "0s", "DRAIN_TIMEOUT": "200ms"}
	r := start(t, env, c.env(nil))
	r.await(9)
	if err := r.end(); err == nil || !strings.Contains(err.Error(), "read again") {
		t.Errorf("error %v", err)
	}
	back := collector(t)
	again := start(t, env, back.env(nil))
	await.That(t, "the collector has them", func() bool { return again.source("files").Lines == 10 })
	if all, _, _ := back.records(t); len(all) != 10 {
		t.Errorf("%d records", len(all))
	}
}

func TestWrongVariablesOfTheCollectorAreNamed(t *testing.T) {
	for name, value := range map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318", "OTEL_EXPORTER_OTLP_HEADERS": "key", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/none"} {
		cfg := func(c *lognorm.Config) {
			c.Getenv = func(n string) string {
				switch {
				case n == name:
					return value
				case n == "OTEL_EXPORTER_OTLP_ENDPOINT":
					return "http://127.0.0.1:1"
				}
				return ""
			}
		}
		r, err := try(t, map[string]string{"LOGNORM_FILES": "/none"}, cfg)
		if err == nil {
			err = <-r.done
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
