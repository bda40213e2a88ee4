package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/api"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs an API with one of each kind of handler and returns the addresses
// of its data and administration listeners.
func serve(t *testing.T) (data, admin string) {
	t.Helper()
	program := process.Program{Name: "demo"}
	cfg := processtest.Parse[struct{ process.Contract }](t, program, map[string]string{"FAULTS": "on"})
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error {
		p, err := process.Open(ctx, program, cfg.Contract, cfg)
		if err != nil {
			return err
		}
		p.Serve(api.Server(routes(p)))
		return p.Run(ctx)
	})
	return "http://" + running.Data, "http://" + running.Admin
}

func routes(p *process.Process) *echo.Echo {
	e := api.New(p)
	e.GET("/problem", func(echo.Context) error { return problem.New(409, "conflict", "it is taken") })
	e.GET("/secret", func(echo.Context) error { return errors.New("password is hunter2") })
	e.GET("/panic", func(echo.Context) error { panic("hunter2") })
	e.GET("/named/:name", func(c echo.Context) error { return c.String(200, api.Param(c, "name")) })
	e.POST("/echo", func(c echo.Context) error {
		b, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		return c.Blob(200, "text/plain", b)
	})
	return e
}

func do(t *testing.T, method, url, body string) (*http.Response, string) {
	t.Helper()
	return processtest.Do(t, http.DefaultClient, method, url, body)
}

func TestEveryErrorIsAProblemThatTellsNothingOfTheInside(t *testing.T) {
	data, _ := serve(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		name               string
	}{
		{"GET", "/problem", "", 409, "conflict"},
		{"GET", "/secret", "", 500, "internal"},
		{"GET", "/panic", "", 500, "internal"},
		{"GET", "/nowhere", "", 404, "no-such-resource"},
		{"PUT", "/echo", "", 405, "method-not-allowed"},
		{"POST", "/echo", strings.Repeat("x", 2<<20), 413, "body-too-large"},
	} {
		resp, body := do(t, c.method, data+c.path, c.body)
		var got struct {
			Type   string
			Status int
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Errorf("%s %s: %v in %q", c.method, c.path, err, body)
		}
		if resp.StatusCode != c.status || got.Status != c.status || got.Type != problem.Base+c.name || resp.Header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode, body)
		}
		if strings.Contains(body, "hunter2") {
			t.Errorf("%s %s tells the inside: %s", c.method, c.path, body)
		}
	}
}

func TestABodyMayHaveAMebibyteAndNoByteMore(t *testing.T) {
	data, _ := serve(t)
	const most = 1 << 20
	if resp, body := do(t, "POST", data+"/echo", strings.Repeat("x", most)); resp.StatusCode != 200 || len(body) != most {
		t.Errorf("a mebibyte: status %d, %d bytes came back", resp.StatusCode, len(body))
	}
	if resp, _ := do(t, "POST", data+"/echo", strings.Repeat("x", most+1)); resp.StatusCode != 413 {
		t.Errorf("one byte more: status %d", resp.StatusCode)
	}
}

func TestAParameterOfThePathIsUnescapedOnce(t *testing.T) {
	data, _ := serve(t)
	for sent, want := range map[string]string{
		"dog": "dog", "hot%20dog": "hot dog", "%C3%A4": "ä", "%64og": "dog", "%64%6Fg": "dog",
		"tcp%2Fip": "tcp/ip", "tcp%2fip": "tcp/ip", "100%25": "100%", "%64%25": "d%", "%2541": "%41", "a%2F%2541": "a/%41",
		"a+b": "a+b", "%64+b": "d+b", "a(b)": "a(b)", "a%28b%29": "a(b)",
	} {
		if resp, body := do(t, "GET", data+"/named/"+sent, ""); resp.StatusCode != 200 || body != want {
			t.Errorf("%s: status %d, %q, want %q", sent, resp.StatusCode, body, want)
		}
	}
}

func TestRequestsAreCountedByRouteNotByPath(t *testing.T) {
	data, admin := serve(t)
	do(t, "POST", data+"/echo", "x")
	do(t, "GET", data+"/random/path/4711", "")
	_, metrics := do(t, "GET", admin+"/metrics", "")
	if !strings.Contains(metrics, `http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="200",http_route="/echo"} 1`) {
		t.Error("the request to /echo was not counted")
	}
	if strings.Contains(metrics, "4711") {
		t.Error("a path of the client became a label")
	}
	if !strings.Contains(metrics, "http_server_active_requests 0") {
		t.Error("requests in flight are not accounted for")
	}
}

func TestFaultsAreInjectedThroughAdministration(t *testing.T) {
	data, admin := serve(t)
	resp, body := do(t, "PUT", admin+"/faults", `[{"path": "/echo", "fault": "status", "status": 503}]`)
	if resp.StatusCode/100 != 2 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := do(t, "POST", data+"/echo", "x"); resp.StatusCode != 503 {
		t.Errorf("with the fault: %d, want 503", resp.StatusCode)
	}
	if resp, _ := do(t, "GET", data+"/problem", ""); resp.StatusCode != 409 {
		t.Errorf("another route: %d, want 409", resp.StatusCode)
	}
	do(t, "DELETE", admin+"/faults", "")
	if resp, _ := do(t, "POST", data+"/echo", "x"); resp.StatusCode != 200 {
		t.Errorf("after the fault: %d, want 200", resp.StatusCode)
	}
}
