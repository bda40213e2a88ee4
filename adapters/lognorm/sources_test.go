package lognorm_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm"
	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/watch"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestSeveralSourcesAndOneThatIsAway(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	ui := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, `{"errors":[{"when":1709633472000,"what":"disk"}]}`)
	}))
	defer ui.Close()
	l := newLogs(t)
	l.append("app.log", "ERROR - here\n")
	l.append("sources.yaml", `
sources:
- {name: app, files: [`+l.path("app.log")+`], format: log4j, resource: {service.name: app}}
- {name: slow, slowlog: {address: "127.0.0.1:1", every: 20ms}}
- {name: ui, rest: {url: "`+ui.URL+`/?key=secret", every: 20ms, items: errors, time: when, body: what, severity: FATAL}, resource: {service.name: storm}}
`)
	env := map[string]string{"LOGNORM_SOURCES_FILE": l.path("sources.yaml"), "LOGNORM_STATE_FILE": l.path("state.json")}
	r := start(t, env, nil)
	r.await(1)
	await.That(t, "both errors are told", func() bool {
		return strings.Contains(r.source("ui").Error, "502") && strings.Contains(r.source("slow").Error, "ask Redis")
	})
	if ready := get(t, r.admin+"/readyz"); !strings.Contains(ready, `"ok":true`) {
		t.Error(ready)
	}
	down.Store(false)
	all := r.await(2)
	if e := all[1]; e.Body != "disk" || e.SeverityText != "FATAL" || e.Timestamp != "2024-03-05T10:11:12Z" || e.Resource["service.name"] != "storm" || strings.Contains(fmt.Sprint(e), "secret") {
		t.Errorf("%+v", e)
	}
	await.That(t, "it is counted", func() bool { return r.source("ui").Records == 1 })
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	again := start(t, env, nil) // and it is not read again
	l.append("app.log", "ERROR - more\n")
	if all := again.await(1); all[0].Body != "more" {
		t.Errorf("%+v", all)
	}
}

// Authorities are replaced by a file, as everywhere.
func TestAuthoritiesAreReadAgain(t *testing.T) {
	for name, source := range map[string]string{
		"collector": "",
		"rest":      `{name: a, rest: {url: "https://ADDR/", every: 20ms, items: x, ca_file: CA}}`,
		"slowlog":   `{name: a, slowlog: {address: "ADDR", every: 20ms, ca_file: CA}}`,
	} {
		t.Run(name, func(t *testing.T) {
			ours, others := certstest.New(t), certstest.New(t)
			refused, trusted := make(chan struct{}, 1), make(chan struct{}, 1)
			settings := ours.Server()
			addr := nettest.Serve(t, func(conn net.Conn) {
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				told := trusted
				if err := tls.Server(conn, settings).Handshake(); err != nil {
					told = refused
				}
				select {
				case told <- struct{}{}:
				default:
				}
			})
			l := newLogs(t)
			copyFile(t, others.File, l.path("ca.crt"))
			l.append("app.log", "ERROR - here\n")
			env := map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_OTLP_PATIENCE": "1h", "DRAIN_TIMEOUT": "100ms"}
			var change func(*lognorm.Config)
			if source == "" {
				c := sampler{Server: &httptest.Server{URL: "https://" + addr}}
				change = c.env(map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": l.path("ca.crt")})
			} else {
				l.append("sources.yaml", "sources:\n- "+strings.NewReplacer("ADDR", addr, "CA", l.path("ca.crt")).Replace(source)+"\n")
				env = map[string]string{"LOGNORM_SOURCES_FILE": l.path("sources.yaml")}
			}
			start(t, env, change)
			for _, told := range []chan struct{}{refused, trusted} {
				select {
				case <-told:
				case <-time.After(20 * time.Second):
					t.Fatal("the server is not refused at first, and trusted then")
				}
				copyFile(t, ours.File, l.path("ca.crt"))
			}
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestASecretIsOfBoundedSize(t *testing.T) {
	l := newLogs(t)
	l.append("secret", strings.Repeat("x", watch.MaxSize+1))
	l.append("sources.yaml", `sources: [{name: a, slowlog: {address: "127.0.0.1:1", password_file: `+l.path("secret")+`}}]`)
	r, err := try(t, map[string]string{"LOGNORM_SOURCES_FILE": l.path("sources.yaml")}, nil)
	if err == nil {
		err = r.end()
	}
	if err == nil || !strings.Contains(err.Error(), "slowlog.password_file") || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
}

func TestAStateThatCannotBeSavedIsToldAndStopsNothing(t *testing.T) {
	l := newLogs(t)
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_STATE_FILE": l.path("state/s.json")}, nil)
	l.append("app.log", numbered(0, 10))
	r.await(10)
	if err := os.Rename(l.path("state"), l.path("gone")); err != nil { // at once, though it is being written to
		t.Fatal(err)
	}
	l.append("app.log", numbered(10, 20))
	wantEach(t, r.await(20), 20)
	await.That(t, "it is not ready", func() bool { return strings.Contains(get(t, r.admin+"/readyz"), "the state file cannot be written") })
	if err := os.Mkdir(l.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	await.That(t, "it is ready again", func() bool { return strings.Contains(get(t, r.admin+"/readyz"), `"ok":true`) })
}
