package lognorm_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
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
	eventually(t, "both errors are told", func() bool {
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
	eventually(t, "it is counted", func() bool { return r.source("ui").Records == 1 })
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	again := start(t, env, nil) // and it is not read again
	l.append("app.log", "ERROR - more\n")
	if all := again.await(1); all[0].Body != "more" {
		t.Errorf("%+v", all)
	}
}

func TestAStateThatCannotBeSavedIsToldAndStopsNothing(t *testing.T) {
	l := newLogs(t)
	r := start(t, map[string]string{"LOGNORM_FILES": l.path("app.log"), "LOGNORM_STATE_FILE": l.path("state/s.json")}, nil)
	l.append("app.log", numbered(0, 10))
	r.await(10)
	if err := os.RemoveAll(l.path("state")); err != nil {
		t.Fatal(err)
	}
	l.append("app.log", numbered(10, 20))
	wantEach(t, r.await(20), 20)
	eventually(t, "it is not ready", func() bool { return strings.Contains(get(t, r.admin+"/readyz"), "the state file cannot be written") })
	if err := os.Mkdir(l.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready again", func() bool { return strings.Contains(get(t, r.admin+"/readyz"), `"ok":true`) })
}
