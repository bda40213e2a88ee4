package edge_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/problem"
)

// The upstream is there, and says on its administration port that it is not ready.
func TestAnEdgeIsReadyWhenItHasSomebodyToAsk(t *testing.T) {
	t.Parallel()
	var usable atomic.Bool
	probed := make(chan struct{}, 100)
	admin := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		if !usable.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		select {
		case probed <- struct{}{}:
		default:
		}
	})
	_, port, _ := strings.Cut(admin, ":")
	upstream := backend(t, func(http.ResponseWriter, *http.Request) {}) + "/" + port
	f := start(t, settings{env: map[string]string{"EDGE_FIRST_REPLICAS": "1h", "CHECK_INTERVAL": "20ms"}}, upstream)
	ready := func() int {
		r, err := http.Get("http://" + f.admin + "/readyz")
		body(t, r, err)
		return r.StatusCode
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for range 3 {
		<-probed
	}
	if got := ready(); got != http.StatusServiceUnavailable {
		t.Errorf("with nobody to ask: %d", got)
	}
	usable.Store(true)
	for ready() != http.StatusOK {
		<-probed
	}
	usable.Store(false) // from here on a 503 of its own says more than a refused connection
	for range 3 {
		<-probed
	}
	if got := ready(); got != http.StatusOK {
		t.Errorf("when its upstream has gone again: %d", got)
	}
}

// One upstream is optional and not there. The edge serves the other one, says that the first is away, and finds it
// when it comes.
func TestAnEdgeIsReadyWithoutAnOptionalUpstream(t *testing.T) {
	t.Parallel()
	late := filepath.Join(t.TempDir(), "late")
	nobody := nettest.Refuse(t)
	check(t, os.WriteFile(late, []byte("late-1 "+nobody+" "+nobody+"\n"), 0o600))
	f := start(t, settings{
		env: map[string]string{"EDGE_FIRST_REPLICAS": "1h", "CHECK_INTERVAL": "20ms"},
		routes: `
upstreams:
  app: {address: "${EDGE_UPSTREAM_APP}"}
  late: {address: "file:${EDGE_UPSTREAM_LATE}", optional: true}
hosts:
  - {names: [a.localhost], routes: [{path: /, upstream: app}]}
  - {names: [b.localhost], routes: [{path: /, upstream: late}]}
`,
		lookup: map[string]string{"EDGE_UPSTREAM_LATE": late},
	}, backend(t, echoName("app")))
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	await.That(t, "the edge is ready", func() bool {
		r, err := http.Get("http://" + f.admin + "/readyz")
		body(t, r, err)
		return r.StatusCode == http.StatusOK
	})
	each(t, f, func(t *testing.T, c *http.Client, _ string) {
		r, err := c.Get("https://a.localhost/x")
		if got := body(t, r, err); r.StatusCode != http.StatusOK || got != "app /x" {
			t.Errorf("what is there: %d %s", r.StatusCode, got)
		}
		r, err = c.Get("https://b.localhost/x")
		got := body(t, r, err)
		if r.StatusCode != http.StatusServiceUnavailable && r.StatusCode != http.StatusBadGateway || r.Header.Get("Retry-After") == "" ||
			r.Header.Get("Content-Type") != problem.ContentType || strings.Contains(got, "127.0.0.1") {
			t.Errorf("what is not there: %d %v %s", r.StatusCode, r.Header, got)
		}
	})
	came := backend(t, echoName("late"))
	check(t, os.WriteFile(late, []byte("late-1 "+came+"\n"), 0o600))
	c := f.client(true)
	await.That(t, "what came late is served", func() bool {
		r, err := c.Get("https://b.localhost/x")
		return body(t, r, err) == "late /x" && r.StatusCode == http.StatusOK
	})
}

// Who takes the place of another must not lose what that one served: an optional upstream that is there is found first.
func TestAnEdgeIsNotReadyBeforeItLookedForOptionalUpstreams(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	admin := backend(t, func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(asked) })
		<-answer
	})
	_, port, _ := strings.Cut(admin, ":")
	f := start(t, settings{
		env:    map[string]string{"EDGE_FIRST_REPLICAS": "1h", "CHECK_TIMEOUT": "1h"},
		routes: "upstreams: {app: {address: \"${EDGE_UPSTREAM_APP}\", optional: true}}\nhosts: [{names: [a.localhost], routes: [{path: /, upstream: app}]}]",
	}, backend(t, echoName("app"))+"/"+port)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	<-asked
	r, err := http.Get("http://" + f.admin + "/readyz")
	body(t, r, err)
	early := r.StatusCode
	close(answer)
	if early != http.StatusServiceUnavailable {
		t.Errorf("while it looks: %d", early)
	}
	await.That(t, "the edge is ready", func() bool {
		r, err := http.Get("http://" + f.admin + "/readyz")
		body(t, r, err)
		return r.StatusCode == http.StatusOK
	})
}
