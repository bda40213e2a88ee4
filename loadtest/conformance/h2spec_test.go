package conformance

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "../.."

// net/http decides over all that the edge leaves to it. What a bare server of the same
// Go fails, the edge may fail, and its README says so; nothing else.
func TestRealH2specFailsTheEdgeOnlyWhereItFailsNetHTTP(t *testing.T) {
	if os.Getenv("REAL_SERVERS") != "required" {
		t.Skip("SKIPPED: h2spec, which takes 15 s, was not asked: make h2spec and make test-real do")
	}
	edge, bare := edge(t), bare(t)
	var ours, theirs Result
	var both sync.WaitGroup
	both.Go(func() { ours = ask(t, "the edge", edge) })
	both.Go(func() { theirs = ask(t, "net/http of "+runtime.Version(), bare) })
	both.Wait()
	for _, c := range ours.Failed {
		if !slices.Contains(theirs.Failed, c) {
			t.Errorf("the edge fails %s, which net/http passes: %s", c.ID, c.Title)
		}
	}
	checkReadme(t, ours)
}

func ask(t *testing.T, name, addr string) Result {
	r, err := H2spec(t.Context(), t.TempDir(), addr, "/")
	if err != nil {
		t.Error(err)
	}
	var failed strings.Builder
	for _, c := range r.Failed {
		fmt.Fprintf(&failed, "\n    %s: %s", c.ID, c.Title)
	}
	t.Logf("%s: %d of %d cases pass%s", name, r.Passed(), r.Cases, failed.String())
	return r
}

// checkReadme: the README of the edge names the failures, and counts them.
func checkReadme(t *testing.T, r Result) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "services/edge/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%d of %d cases pass", r.Passed(), r.Cases); !strings.Contains(string(text), want) {
		t.Errorf("services/edge/README.md does not say: %s", want)
	}
	var named, failed []string
	for _, row := range regexp.MustCompile(`(?m)^\| (generic|hpack|http2) ([0-9.]+):`).FindAllStringSubmatch(string(text), -1) {
		named = append(named, row[1]+"/"+row[2])
	}
	for _, c := range r.Failed {
		failed = append(failed, c.ID)
	}
	if !slices.Equal(named, failed) {
		t.Errorf("services/edge/README.md names %q as failing, and these fail: %q", named, failed)
	}
}

func TestAReportIsCountedByCaseAndNumberedBySection(t *testing.T) {
	got, err := parse([]byte(`<testsuites>
		<testsuite package="http2/4"></testsuite>
		<testsuite package="http2/4.2"><testcase classname=" good "/><testcase classname="bad"><failure>was &lt;closed&gt;</failure></testcase></testsuite>
		<testsuite package="hpack/2"><testcase classname="broken"><error>refused</error></testcase><testcase classname="left out"><skipped/></testcase></testsuite>
	</testsuites>`))
	want := Result{Cases: 4, Skipped: 1, Failed: []Case{{"http2/4.2.2", "bad"}, {"hpack/2.1", "broken"}}}
	if err != nil || !reflect.DeepEqual(got, want) || got.Passed() != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, broken := range []string{"", "<testsuites>", "<testsuites></testsuites>"} {
		if _, err := parse([]byte(broken)); err == nil {
			t.Errorf("%q is no error", broken)
		}
	}
}

// page reads what it is sent and answers a few bytes.
func page(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // h2spec breaks off where it likes
	_, _ = io.WriteString(w, "a page of some bytes")
}

// bare starts a net/http server with nothing before it.
func bare(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(page))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.TLS = certstest.New(t).Server()
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// edge starts an edge, as a process, in front of a page.
func edge(t *testing.T) string {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(page))
	t.Cleanup(upstream.Close)
	ca := certstest.New(t)
	routes := filepath.Join(ca.Dir, "routes.yaml")
	const everything = `{upstreams: {app: {address: "${EDGE_UPSTREAM_APP}"}}, hosts: [{names: ["*"], routes: [{path: /, upstream: app}]}]}`
	if err := os.WriteFile(routes, []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	pair := ca.Issue("edge")
	g := &rig.Rig{Root: root, Dir: ca.Dir, Log: t.Logf}
	t.Cleanup(g.Close)
	if err := g.Build(t.Context(), "edge"); err != nil {
		t.Fatal(err)
	}
	p, err := g.Service(t.Context(), "edge", "edge", map[string]string{
		"TLS_CERT_FILE": pair.CertFile, "TLS_KEY_FILE": pair.KeyFile, "EDGE_ROUTES_FILE": routes,
		"EDGE_UPSTREAM_APP": upstream.Listener.Addr().String(), "EDGE_HTTP_ADDR": "off", "EDGE_HTTP3_ADDR": "off",
	})
	if err != nil {
		t.Fatal(err)
	}
	return p.Data
}
