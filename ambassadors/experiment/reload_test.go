package experiment

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/openapi"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/labstack/echo/v4"
)

func TestTheFileIsFollowedAndABrokenOneLeavesTheOld(t *testing.T) {
	production, one, two := serve(t, "production", nil), serve(t, "one", nil), serve(t, "two", nil)
	w := start(t, production.addr(), "", nil) // a file that is not there yet
	if _, body := w.get("/", inside); body != "production" {
		t.Errorf("%s", body)
	}
	w.write(next(one.addr()))
	w.until("the file is there", func(r Report) bool { return len(r.Experiments) == 1 })
	if _, body := w.get("/", inside); body != "one" {
		t.Errorf("%s", body)
	}
	w.write("experiments: [{name: next, percent: 101, upstream: nowhere}]")
	r := w.until("the broken file is told of", func(r Report) bool { return r.File.Problem != "" })
	if len(r.Experiments) != 1 || !strings.Contains(r.File.Problem, "101") || !strings.Contains(r.File.Problem, "nowhere") {
		t.Errorf("%+v", r)
	}
	if _, body := w.get("/", inside); body != "one" {
		t.Errorf("%s", body)
	}
	w.write(next(two.addr()))
	w.until("it is mended", func(r Report) bool { return r.File.Problem == "" })
	if _, body := w.get("/", inside); body != "two" {
		t.Errorf("%s", body)
	}
	w.write("experiments: []")
	w.until("it is empty", func(r Report) bool { return len(r.Experiments) == 0 })
	if resp, body := w.get("/", inside); body != "production" || resp.Header.Get("Vary") != "" {
		t.Errorf("%s %v", body, resp.Header)
	}
}

func TestAFileThatIsBrokenAtTheStartIsProductionAlone(t *testing.T) {
	production := serve(t, "production", nil)
	w := start(t, production.addr(), "experiments: 7", nil)
	if _, body := w.get("/", inside); body != "production" {
		t.Errorf("%s", body)
	}
	if r := w.report(); r.File.Problem == "" || r.File.Loaded != nil {
		t.Errorf("%+v", r)
	}
}

func TestRequestsNoticeNothingOfReloads(t *testing.T) {
	production, arm := serve(t, "production", nil), serve(t, "next", nil)
	w := start(t, production.addr(), next(arm.addr()), nil)
	for n := range 4 {
		file := next(arm.addr(), "timeout: "+[]string{"1s", "2s"}[n%2]) // a new arm each time
		loaded := w.report().File.Loaded
		w.write(file)
		w.until("reloaded", func(r Report) bool {
			if _, body := w.get("/", inside); body != "next" {
				t.Errorf("%s", body)
			}
			return !r.File.Loaded.Equal(*loaded)
		})
	}
}

func TestWhatStaysTheSameKeepsItsNumbers(t *testing.T) {
	production, arm := serve(t, "production", nil), serve(t, "next", nil)
	w := start(t, production.addr(), next(arm.addr()), nil)
	w.get("/", inside)
	w.write(next(arm.addr()) + "- {name: b, upstream: '127.0.0.1:1', path: /b}\n")
	if r := w.until("reloaded", func(r Report) bool { return len(r.Experiments) == 2 }); r.Experiments[1].Requests != 1 {
		t.Errorf("%+v", r.Experiments[1])
	}
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var routes []*echo.Route
	(&Server{}).routes(func(pattern string, _ http.Handler) {
		method, path, _ := strings.Cut(pattern, " ")
		routes = append(routes, &echo.Route{Method: method, Path: strings.NewReplacer("{", ":", "}", "").Replace(path)})
	})
	diff, err := openapi.Diff(document, routes)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}

func TestTheReportIsForOperators(t *testing.T) {
	token := t.TempDir() + "/token"
	if err := os.WriteFile(token, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	production := serve(t, "production", nil)
	w := start(t, production.addr(), next("127.0.0.1:1", "budget: {errors: 1, p99: 3}")+"shadows: [{name: mirror, percent: 0, upstream: '127.0.0.1:1'}]", map[string]string{"ADMIN_TOKEN_FILE": token})
	for _, path := range []string{"/v1/experiments", "/report"} {
		if resp, _ := processtest.Get(t, "http://"+w.Admin+path); resp.StatusCode != 401 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	resp, page := processtest.Get(t, "http://"+w.Admin+"/report", "Authorization", "Bearer 0123456789abcdef")
	if csp := resp.Header.Get("Content-Security-Policy"); resp.StatusCode != 200 || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(page, "<script") {
		t.Errorf("%d %s\n%s", resp.StatusCode, csp, page)
	}
	for _, want := range []string{"<td>next", "errors +1.00 %", "p99 ×3", "Shadow mirror", "not_compared"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
}

func TestWrongParametersAreAllNamed(t *testing.T) {
	cfg := processtest.Parse[Config](t, Program, map[string]string{"EXPERIMENT_PRODUCTION": "127.0.0.1:1", "EXPERIMENT_HEADER_TIMEOUT": "0s",
		"EXPERIMENT_MAX_BUFFER": "32MiB", "EXPERIMENT_COOKIE": "a b", "EXPERIMENT_SHADOW_QUEUE": "0", "RETRY_ATTEMPTS": "9"})
	err := Run(t.Context(), cfg)
	for _, want := range []string{"EXPERIMENT_HEADER_TIMEOUT", "EXPERIMENT_MAX_BUFFER", "EXPERIMENT_COOKIE", "EXPERIMENT_SHADOW_QUEUE", "RETRY_ATTEMPTS"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named: %v", want, err)
		}
	}
}
