package configapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/internal/etcdclient/etcdtest"
	"github.com/flotilla-dev/flotilla/internal/openapi"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

var program string // the embedded etcd

func TestMain(m *testing.M) { etcdtest.Main(m, func(path string) { program = path }) }

type running struct {
	*testing.T
	url, admin string
	etcd       *etcdtest.Server
}

func start(t *testing.T, etcd *etcdtest.Server, environ map[string]string) *running {
	t.Helper()
	env := map[string]string{"LOG_LEVEL": "ERROR+1", "CONFIGAPI_ETCD_ENDPOINTS": etcd.Addr}
	maps.Copy(env, environ)
	cfg := processtest.Parse[Config](t, Program, env)
	r := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return &running{T: t, etcd: etcd, url: "http://" + r.Data + "/v1/configs", admin: "http://" + r.Admin}
}

// do sends a request; fields are pairs of name and value.
func (r *running) do(method, path, body string, fields ...string) (*http.Response, string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	return resp, string(text)
}

// want holds a request to its status and, if it is an error, to the type of it.
func (r *running) want(status int, name, method, path, body string, fields ...string) (*http.Response, string) {
	r.Helper()
	resp, text := r.do(method, path, body, fields...)
	if resp.StatusCode != status || name != "" && !strings.Contains(text, "#"+name+`"`) {
		r.Errorf("%s %s: %d %s, want %d %s", method, path, resp.StatusCode, text, status, name)
	}
	return resp, text
}

func (r *running) versions(path string) []Version {
	r.Helper()
	_, text := r.want(200, "", "GET", path+"/versions", "")
	var all []Version
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		r.Fatal(err)
	}
	return all
}

func TestTheLifeOfAConfiguration(t *testing.T) {
	r := start(t, etcdtest.Start(t, program), nil)
	t.Run("what is not there", func(t *testing.T) {
		for _, path := range []string{"/none", "/none/versions", "/none/versions/1", "/none/diff"} {
			r.want(404, "config-not-found", "GET", path, "")
		}
		r.want(404, "config-not-found", "DELETE", "/none", "")
		r.want(404, "config-not-found", "POST", "/none/rollback", `{"version":1}`)
		r.want(412, "config-changed", "PUT", "/none", "x", "If-Match", "*")
	})
	t.Run("what cannot be", func(t *testing.T) {
		for _, path := range []string{"/.hidden", "/a/../b", "/a//b", "/a/", "/%2e%2e/b", "/a%00b", "/versions", "/a/diff/b", "/" + strings.Repeat("a", 201), "/a/b/c/d/e/f/g/h/i", "/ä"} {
			resp, text := r.do("PUT", path, "x")
			if resp.StatusCode != 400 && resp.StatusCode != 404 {
				t.Errorf("%s: %d %s", path, resp.StatusCode, text)
			}
		}
		r.want(413, "body-too-large", "PUT", "/large", strings.Repeat("x", 256<<10+1))
		r.want(415, "media-type-unsupported", "PUT", "/typed", "x", "Content-Type", "no type at all")
		r.want(400, "version-invalid", "GET", "/a/versions/zero", "")
		resp, _ := r.want(405, "method-not-allowed", "POST", "/a/b.ini", "x")
		if allow := resp.Header.Get("Allow"); allow != "DELETE, GET, HEAD, PUT" {
			t.Errorf("Allow: %q", allow)
		}
	})
	t.Run("versions", func(t *testing.T) { lifeOfVersions(t, r) })
	t.Run("conditions", func(t *testing.T) { conditions(t, r) })
	t.Run("a rollback restores byte for byte", func(t *testing.T) { rollback(t, r) })
	t.Run("differences", func(t *testing.T) { differences(t, r) })
	t.Run("a write past the API", func(t *testing.T) { past(t, r) })
	t.Run("a second life", func(t *testing.T) { secondLife(t, r) })
	t.Run("the list", func(t *testing.T) { list(t, r) })
}

func lifeOfVersions(t *testing.T, r *running) {
	resp, _ := r.want(201, "", "PUT", "/legacy/page.ini", "greeting = a\n")
	if resp.Header.Get("Location") != "/v1/configs/legacy/page.ini" || resp.Header.Get("ETag") == "" {
		t.Errorf("%v", resp.Header)
	}
	r.want(200, "", "PUT", "/legacy/page.ini", "greeting = b\n", "Content-Type", "text/x-ini")
	r.want(200, "", "PUT", "/legacy/page.ini", "greeting = b\n", "Content-Type", "text/x-ini") // the same again
	resp, body := r.want(200, "", "GET", "/legacy/page.ini", "")
	if body != "greeting = b\n" || resp.Header.Get("Content-Type") != "text/x-ini" || resp.Header.Get("Config-Version") != "2" {
		t.Errorf("%q %v", body, resp.Header)
	}
	r.want(304, "", "GET", "/legacy/page.ini", "", "If-None-Match", resp.Header.Get("ETag"))
	if resp, body := r.want(200, "", "HEAD", "/legacy/page.ini", ""); body != "" || resp.Header.Get("Config-Version") != "2" {
		t.Errorf("HEAD: %q, %v", body, resp.Header)
	}
	resp, body = r.want(200, "", "GET", "/legacy/page.ini/versions/1", "")
	if body != "greeting = a\n" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("version 1: %q %v", body, resp.Header)
	}
	r.want(404, "version-not-found", "GET", "/legacy/page.ini/versions/3", "")
	all := r.versions("/legacy/page.ini")
	if len(all) != 2 || all[0].Version != 2 || all[1].Size != 13 || all[1].Created.IsZero() {
		t.Errorf("%+v", all)
	}
	resp, _ = r.want(200, "", "GET", "/legacy/page.ini", "")
	if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Content-Security-Policy") != "sandbox" {
		t.Error("a browser may run what is stored")
	}
}

func conditions(t *testing.T, r *running) {
	resp, _ := r.want(201, "", "PUT", "/c", "1", "If-None-Match", "*")
	first := resp.Header.Get("ETag")
	r.want(412, "config-changed", "PUT", "/c", "2", "If-None-Match", "*")
	resp, _ = r.want(200, "", "PUT", "/c", "2", "If-Match", first)
	for _, stale := range []string{first, `W/` + resp.Header.Get("ETag"), `"none", "other"`} {
		r.want(412, "config-changed", "PUT", "/c", "3", "If-Match", stale)
		r.want(412, "config-changed", "DELETE", "/c", "", "If-Match", stale)
		r.want(412, "config-changed", "POST", "/c/rollback", `{"version":1}`, "If-Match", stale)
	}
	r.want(200, "", "PUT", "/c", "3", "If-Match", `"other", `+resp.Header.Get("ETag"))
	if _, body := r.want(200, "", "GET", "/c", ""); body != "3" {
		t.Errorf("%q", body)
	}
}

func rollback(t *testing.T, r *running) {
	old := "\xef\xbb\xbf\x00binary\r\nwith = all\n\n\xff " // no newline at the end
	r.want(201, "", "PUT", "/r", old, "Content-Type", "application/x-old")
	r.want(200, "", "PUT", "/r", "new")
	_, text := r.want(200, "", "POST", "/r/rollback", `{"version": 1}`)
	var v Version
	if err := json.Unmarshal([]byte(text), &v); err != nil || v.Version != 3 || v.RollbackOf != 1 {
		t.Errorf("%s, %v", text, err)
	}
	resp, body := r.want(200, "", "GET", "/r", "")
	if body != old || resp.Header.Get("Content-Type") != "application/x-old" {
		t.Errorf("%q %v", body, resp.Header)
	}
	for _, broken := range []string{"", "{}", `{"version":0}`, `{"version":"1"}`, `{"verison":1}`, "[1]"} {
		r.want(400, "body-invalid", "POST", "/r/rollback", broken)
	}
	r.want(404, "version-not-found", "POST", "/r/rollback", `{"version":9}`)
}

func differences(t *testing.T, r *running) {
	r.want(201, "", "PUT", "/d", "a\nb\nc\n")
	r.want(200, "", "PUT", "/d", "a\nB\nc\n")
	r.want(200, "", "PUT", "/d", "a\nB\nc\nd")
	if _, body := r.want(200, "", "GET", "/d/diff", ""); body != "--- d version 2\n+++ d version 3\n@@ -1,3 +1,4 @@\n a\n B\n c\n+d\n\\ No newline at end of file\n" {
		t.Errorf("by the last change:\n%s", body)
	}
	if _, body := r.want(200, "", "GET", "/d/diff?from=2&to=1", ""); !strings.Contains(body, "\n-B\n+b\n") {
		t.Errorf("backwards:\n%s", body)
	}
	if _, body := r.want(200, "", "GET", "/d/diff?from=3&to=3", ""); body != "" {
		t.Errorf("of itself:\n%s", body)
	}
	r.want(404, "version-not-found", "GET", "/d/diff?from=7", "")
	r.want(400, "version-invalid", "GET", "/d/diff?from=-1", "")
	r.want(200, "", "PUT", "/d", "\xff")
	r.want(422, "not-text", "GET", "/d/diff", "")
}

func past(t *testing.T, r *running) {
	r.want(201, "", "PUT", "/p.json", "{}")
	if _, err := r.etcd.Client().Put(etcdtest.Context(t), "/configs/p.json", "[]"); err != nil {
		t.Fatal(err)
	}
	resp, body := r.want(200, "", "GET", "/p.json", "")
	if body != "[]" || resp.Header.Get("Config-Version") != "2" || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%q %v", body, resp.Header)
	}
	r.want(404, "version-not-found", "GET", "/p.json/versions/2", "")
	r.want(200, "", "PUT", "/p.json", "1", "If-Match", resp.Header.Get("ETag"))
	if all := r.versions("/p.json"); len(all) != 2 || all[0].Version != 3 {
		t.Errorf("%+v", all)
	}
}

func secondLife(t *testing.T, r *running) {
	for _, body := range []string{"1", "2", "3"} {
		r.do("PUT", "/s", body)
	}
	r.want(201, "", "PUT", "/s/below", "x") // not part of /s
	before, _ := r.do("GET", "/s", "")
	r.want(204, "", "DELETE", "/s", "")
	r.want(404, "config-not-found", "GET", "/s/versions/1", "")
	r.want(200, "", "GET", "/s/below", "")
	r.want(201, "", "PUT", "/s", "again")
	if all := r.versions("/s"); len(all) != 1 || all[0].Version != 1 || all[0].ETag == before.Header.Get("ETag") {
		t.Errorf("%+v", all)
	}
	// A life that ended past the API leaves no versions to the next one either.
	for _, body := range []string{"1", "2", "3"} {
		r.do("PUT", "/s", body)
	}
	if _, err := r.etcd.Client().Delete(etcdtest.Context(t), "/configs/s"); err != nil {
		t.Fatal(err)
	}
	r.want(201, "", "PUT", "/s", "third life")
	if all := r.versions("/s"); len(all) != 1 || all[0].Size != len("third life") {
		t.Errorf("%+v", all)
	}
}

func list(t *testing.T, r *running) {
	r.want(201, "", "PUT", "/list/b", "1")
	r.want(201, "", "PUT", "/list/a", "1")
	_, body := r.want(200, "", "GET", "?prefix=list/", "")
	if body != `[{"name":"list/a","version":1,"href":"/v1/configs/list/a"},{"name":"list/b","version":1,"href":"/v1/configs/list/b"}]`+"\n" {
		t.Error(body)
	}
}

func TestTheHistoryAndTheNumberOfNamesHaveBounds(t *testing.T) {
	r := start(t, etcdtest.Start(t, program), map[string]string{"CONFIGAPI_HISTORY": "3", "CONFIGAPI_MAX_CONFIGS": "2"})
	for i := range 10 {
		r.do("PUT", "/a", fmt.Sprint(i))
	}
	all := r.versions("/a")
	if len(all) != 3 || all[0].Version != 10 || all[2].Version != 8 {
		t.Errorf("%+v", all)
	}
	left, err := r.etcd.Client().Get(etcdtest.Context(t), "/configs-history/", clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil || left.Count != 6 {
		t.Errorf("%d keys of the history are left, %v", left.Count, err)
	}
	r.want(201, "", "PUT", "/b", "1")
	r.want(507, "configs-full", "PUT", "/c", "1")
	r.want(200, "", "PUT", "/b", "2")
}

func TestOfManyWritersWithOneTagOneWins(t *testing.T) {
	r := start(t, etcdtest.Start(t, program), nil)
	resp, _ := r.want(201, "", "PUT", "/w", "0")
	tag := resp.Header.Get("ETag")
	var won atomic.Int32
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			resp, text := r.do("PUT", "/w", fmt.Sprint("writer ", i), "If-Match", tag)
			switch resp.StatusCode {
			case 200:
				won.Add(1)
			case 412:
			default:
				t.Errorf("%d %s", resp.StatusCode, text)
			}
		})
	}
	writers.Wait()
	if won.Load() != 1 || len(r.versions("/w")) != 2 {
		t.Errorf("%d have won, %d versions", won.Load(), len(r.versions("/w")))
	}
}

func TestOnlyTheTokenMayWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, etcdtest.Start(t, program), map[string]string{"CONFIGAPI_TOKEN_FILE": file})
	for _, value := range []string{"", "Bearer ", "Bearer 0123456789abcdeX", "Basic 0123456789abcdef", "0123456789abcdef"} {
		r.want(401, "token-required", "PUT", "/a", "x", "Authorization", value)
		r.want(401, "token-required", "DELETE", "/a", "", "Authorization", value)
		r.want(401, "token-required", "POST", "/a/rollback", "{}", "Authorization", value)
	}
	r.want(201, "", "PUT", "/a", "x", "Authorization", "Bearer 0123456789abcdef")
	r.want(200, "", "GET", "/a", "")
}

func TestAnEtcdThatIsAwayIsToldAndComesBack(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	r := start(t, etcd, map[string]string{"CONFIGAPI_ETCD_TIMEOUT": "1s"})
	r.want(201, "", "PUT", "/a", "x")
	for _, away := range []struct{ go_, back func() }{{etcd.Kill, etcd.Start}, {etcd.Pause, etcd.Resume}} {
		away.go_()
		for _, request := range [][3]string{{"GET", "/a", ""}, {"PUT", "/a", "y"}, {"DELETE", "/a", ""}, {"GET", "/a/versions", ""}, {"GET", "", ""}} {
			resp, text := r.want(503, "store-unavailable", request[0], request[1], request[2])
			if resp.Header.Get("Retry-After") == "" || strings.Contains(text, "127.0.0.1") || strings.Contains(text, "rpc") {
				t.Errorf("%v %s", resp.Header, text)
			}
		}
		away.back()
		await.That(t, "it is back", func() bool { resp, _ := r.do("GET", "/a", ""); return resp.StatusCode == 200 })
	}
}

func TestItIsReadyWhenEtcdWasReached(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	etcd.Kill()
	r := start(t, etcd, map[string]string{"CONFIGAPI_ETCD_TIMEOUT": "1s"})
	ready := func() bool {
		resp, err := http.Get(r.admin + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == 200
	}
	r.want(503, "store-unavailable", "GET", "/a", "")
	if ready() {
		t.Error("it is ready without etcd")
	}
	etcd.Start()
	await.That(t, "it is ready", ready)
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	served := []*echo.Route{{Method: "GET", Path: "/v1/configs"}}
	for _, r := range table() {
		served = append(served, &echo.Route{Method: r.method, Path: r.path()})
	}
	diff, err := openapi.Diff(document, served)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	cfg, err := process.Parse[Config](Program, map[string]string{
		"CONFIGAPI_ETCD_ENDPOINTS": "http://a", "CONFIGAPI_ETCD_USER": "u", "CONFIGAPI_ETCD_CERT_FILE": "c", "CONFIGAPI_ETCD_TIMEOUT": "0s",
		"CONFIGAPI_PREFIX": "configs", "CONFIGAPI_MAX_SIZE": "1MiB", "CONFIGAPI_HISTORY": "0", "CONFIGAPI_MAX_CONFIGS": "0",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(t.Context(), cfg)
	for _, name := range []string{"CONFIGAPI_ETCD_ENDPOINTS", "CONFIGAPI_ETCD_USER", "CONFIGAPI_ETCD_KEY_FILE", "CONFIGAPI_ETCD_TIMEOUT", "CONFIGAPI_PREFIX", "CONFIGAPI_MAX_SIZE", "CONFIGAPI_HISTORY", "CONFIGAPI_MAX_CONFIGS"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
	if _, err := process.Parse[Config](Program, nil); err == nil || !strings.Contains(err.Error(), "CONFIGAPI_ETCD_ENDPOINTS: is required") {
		t.Errorf("%v", err)
	}
}

func FuzzTarget(f *testing.F) {
	for _, path := range []string{"a", "legacy/page.ini/versions/3", "a/diff", "versions", "a/../b", "", "a/rollback/versions/1"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, err := parseTarget(path)
		if err != nil {
			return
		}
		again := got.name
		if got.action != "" {
			again += "/" + got.action
		}
		if got.rest != "" {
			again += "/" + got.rest
		}
		if again != path && again+"/" != path {
			t.Errorf("%q is read as %+v", path, got)
		}
		if filepath.Clean("/"+got.name) != "/"+got.name || !filepath.IsLocal(got.name) {
			t.Errorf("%q is no plain name", got.name)
		}
	})
}

func FuzzUnified(f *testing.F) {
	f.Add("a\nb\n", "a\nc")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, before, after string) {
		difference, err := unified("a", "b", before, after)
		if err != nil {
			t.Fatal(err)
		}
		if (before == after) != (difference == "") {
			t.Errorf("%q and %q differ by %q", before, after, difference)
		}
	})
}

func TestADifferenceIsFoundInTime(t *testing.T) {
	var before, after strings.Builder
	for i := range 128 << 10 { // as many lines as the largest configuration can have
		fmt.Fprintln(&before, i%7)
		fmt.Fprintln(&after, i%5)
	}
	began := time.Now()
	if _, err := unified("a", "b", before.String(), after.String()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}
