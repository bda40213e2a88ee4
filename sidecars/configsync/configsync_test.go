package configsync

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/flotilla-dev/flotilla/internal/etcdclient/etcdtest"
	"github.com/flotilla-dev/flotilla/internal/openapi"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/sidecars/configsync/folder"

	"github.com/flotilla-dev/flotilla/internal/await"
)

var program string // the embedded etcd

func TestMain(m *testing.M) { etcdtest.Main(m, func(path string) { program = path }) }

type running struct {
	*testing.T
	url, admin, dir string
	stop            func()
}

// start runs the sidecar for /configs/page.ini in a directory.
func start(t *testing.T, etcd *etcdtest.Server, dir string, environ map[string]string) *running {
	t.Helper()
	env := map[string]string{
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "DRAIN_DELAY": "0s", "LOG_LEVEL": "ERROR+1",
		"CONFIGSYNC_ETCD_ENDPOINTS": etcd.Addr, "CONFIGSYNC_ETCD_TIMEOUT": "1s", "CONFIGSYNC_RESYNC": "200ms",
	}
	if environ["CONFIGSYNC_PREFIX"] == "" {
		env["CONFIGSYNC_KEY"], env["CONFIGSYNC_FILE"] = "/configs/page.ini", filepath.Join(dir, "page.ini")
	}
	for name, value := range environ {
		env[name] = value
	}
	cfg := processtest.Parse[Config](t, Program, env)
	r := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return Run(ctx, cfg) })
	return &running{T: t, dir: dir, url: "http://" + r.Data, admin: "http://" + r.Admin, stop: func() {
		t.Helper()
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	}}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (r *running) status() Status {
	r.Helper()
	_, body := get(r.T, r.url+"/v1/status")
	var s Status
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		r.Fatalf("%s: %v", body, err)
	}
	return s
}

func (r *running) file() folder.File {
	r.Helper()
	if all := r.status().Files; len(all) == 1 {
		return all[0]
	}
	return folder.File{}
}

func (r *running) ready() bool {
	r.Helper()
	status, _ := get(r.T, r.admin+"/readyz")
	return status == 200
}

func (r *running) metric(name string) string {
	r.Helper()
	_, body := get(r.T, r.admin+"/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (r *running) want(name, content string) {
	r.Helper()
	await.That(r.T, name+" is "+content, func() bool {
		got, err := os.ReadFile(filepath.Join(r.dir, name))
		return err == nil && string(got) == content
	})
}

func put(t *testing.T, c *clientv3.Client, key, value string) {
	t.Helper()
	if _, err := c.Put(etcdtest.Context(t), key, value); err != nil {
		t.Fatal(err)
	}
}

func TestABrokenConfigurationIsToldEverywhereAndNotWritten(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	c := etcd.Client()
	r := start(t, etcd, t.TempDir(), nil)
	if r.ready() {
		t.Error("it is ready without a file")
	}
	put(t, c, "/configs/page.ini", "greeting = a\n")
	r.want("page.ini", "greeting = a\n")
	await.That(t, "it is ready", r.ready)
	put(t, c, "/configs/page.ini", "greeting\n")
	await.That(t, "the rejection is told", func() bool { return r.file().Rejected != nil })
	if f := r.file(); f.Version != 1 || f.Rejected.Version != 2 || !strings.Contains(f.Rejected.Reason, "line 1") {
		t.Errorf("%+v", f)
	}
	if r.metric("configsync_files_rejected") != "1" || r.metric(`configsync_writes_total{result="rejected"}`) != "1" || !r.ready() {
		t.Error("the metrics do not tell, or it is not ready any more")
	}
	r.want("page.ini", "greeting = a\n")
	put(t, c, "/configs/page.ini", "greeting = b\n")
	r.want("page.ini", "greeting = b\n")
	await.That(t, "the rejection is over", func() bool { return r.metric("configsync_files_rejected") == "0" })
}

func TestWithoutEtcdTheLastGoodFileIsKept(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	dir := t.TempDir()
	first := start(t, etcd, dir, nil)
	put(t, etcd.Client(), "/configs/page.ini", "greeting = a\n")
	first.want("page.ini", "greeting = a\n")
	await.That(t, "it is applied", func() bool { return first.file().Version == 1 })
	first.stop()
	etcd.Kill()
	for when, want := range map[string]bool{"file": true, "synced": false, "always": true} {
		r := start(t, etcd, dir, map[string]string{"CONFIGSYNC_READY": when})
		await.That(t, "the loss is told", func() bool { return r.status().Etcd.Error != "" })
		if f := r.file(); f.Version != 1 || r.ready() != want {
			t.Errorf("%s: ready %v, %+v", when, r.ready(), f)
		}
		if s := r.status().Etcd; s.Connected || s.Synced || strings.Contains(s.Error, "127.0.0.1") {
			t.Errorf("%+v", s)
		}
		r.stop()
	}
	r := start(t, etcd, dir, nil)
	etcd.Start()
	put(t, etcd.Client(), "/configs/page.ini", "greeting = b\n")
	r.want("page.ini", "greeting = b\n")
}

func TestAnEtcdThatGoesAwayLaterChangesNothing(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	r := start(t, etcd, t.TempDir(), nil)
	put(t, etcd.Client(), "/configs/page.ini", "greeting = a\n")
	r.want("page.ini", "greeting = a\n")
	etcd.Pause()
	await.That(t, "the loss is told", func() bool { return r.metric("configsync_etcd_up") == "0" })
	if s := r.status(); s.Etcd.Error == "" || !s.Etcd.Synced || !r.ready() {
		t.Errorf("%+v", s)
	}
	etcd.Resume()
	await.That(t, "it is followed again", func() bool { return r.metric("configsync_etcd_up") == "1" })
	etcd.Forget() // and comes back empty
	etcd.Start()
	await.That(t, "the key is missed", func() bool { return r.file().Absent })
	r.want("page.ini", "greeting = a\n")
	put(t, etcd.Client(), "/configs/page.ini", "greeting = c\n")
	r.want("page.ini", "greeting = c\n")
}

func TestAPrefixIsADirectory(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	c := etcd.Client()
	dir := t.TempDir()
	r := start(t, etcd, dir, map[string]string{"CONFIGSYNC_PREFIX": "/configs/app/", "CONFIGSYNC_DIR": dir, "CONFIGSYNC_MAX_FILES": "3"})
	put(t, c, "/configs/app/a.json", "{}")
	put(t, c, "/configs/app/sub/b.yaml", "k: v\n")
	put(t, c, "/configs/app/../../etc/passwd", "x")
	put(t, c, "/configs/other", "x")
	r.want("a.json", "{}")
	r.want("sub/b.yaml", "k: v\n")
	await.That(t, "the key that is no name is told", func() bool { return r.metric("configsync_files_rejected") == "1" })
	if _, err := c.Delete(etcdtest.Context(t), "/configs/app/a.json"); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the file of a deleted key is gone", func() bool {
		_, err := os.Stat(filepath.Join(dir, "a.json"))
		return os.IsNotExist(err)
	})
	put(t, c, "/configs/app/c", "x")
	put(t, c, "/configs/app/d", "x")
	await.That(t, "too many are told", func() bool { return strings.Contains(r.status().Etcd.Error, "more keys") })
}

// The application is told by a signal; package notify has the tests with real ones.
func TestTheApplicationIsToldAfterAWriteOnly(t *testing.T) {
	etcd := etcdtest.Start(t, program)
	c := etcd.Client()
	r := start(t, etcd, t.TempDir(), map[string]string{"CONFIGSYNC_SIGNAL": "SIGHUP", "CONFIGSYNC_PROCESS": "no-such-application"})
	await.That(t, "it is synced", func() bool { return r.status().Etcd.Synced })
	if s := r.status().Notify; s.Pending {
		t.Errorf("%+v", s)
	}
	put(t, c, "/configs/page.ini", "greeting\n") // rejected
	await.That(t, "the rejection is told", func() bool { return r.file().Rejected != nil })
	if s := r.status().Notify; s.Pending {
		t.Errorf("%+v", s)
	}
	put(t, c, "/configs/page.ini", "greeting = a\n")
	await.That(t, "the application is missed", func() bool {
		s := r.status().Notify
		return s.Pending && s.Error == "no process is called no-such-application"
	})
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	new(sidecar).routes(e)
	diff, err := openapi.Diff(document, e.Routes())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	base := map[string]string{"CONFIGSYNC_ETCD_ENDPOINTS": "a:1", "CONFIGSYNC_KEY": "k", "CONFIGSYNC_FILE": "/f"}
	for want, env := range map[string]map[string]string{
		"CONFIGSYNC_ETCD_ENDPOINTS: is required":                     {"CONFIGSYNC_ETCD_ENDPOINTS": "-"},
		"CONFIGSYNC_KEY: is required":                                {"CONFIGSYNC_KEY": "", "CONFIGSYNC_FILE": ""},
		"CONFIGSYNC_KEY, CONFIGSYNC_FILE: set both":                  {"CONFIGSYNC_FILE": ""},
		"CONFIGSYNC_PREFIX, CONFIGSYNC_DIR: set both":                {"CONFIGSYNC_KEY": "", "CONFIGSYNC_FILE": "", "CONFIGSYNC_DIR": "/d"},
		"CONFIGSYNC_KEY: and CONFIGSYNC_PREFIX exclude":              {"CONFIGSYNC_PREFIX": "p"},
		"CONFIGSYNC_FILE: is a directory":                            {"CONFIGSYNC_FILE": "/d/"},
		"CONFIGSYNC_SIGNAL: needs CONFIGSYNC_PID_FILE":               {"CONFIGSYNC_SIGNAL": "SIGHUP"},
		`CONFIGSYNC_SIGNAL: "HUP" is not valid: want none, SIGHUP`:   {"CONFIGSYNC_SIGNAL": "HUP"},
		`CONFIGSYNC_SYNTAX: "xml" is not valid: want auto, json`:     {"CONFIGSYNC_SYNTAX": "xml"},
		`CONFIGSYNC_READY: "no" is not valid: want file, synced`:     {"CONFIGSYNC_READY": "no"},
		`CONFIGSYNC_MODE: "0888" is not valid: want permissions`:     {"CONFIGSYNC_MODE": "0888"},
		"CONFIGSYNC_MAX_SIZE: want 1B to 16MiB":                      {"CONFIGSYNC_MAX_SIZE": "0B"},
		"CONFIGSYNC_MAX_FILES: want 1 to 1024":                       {"CONFIGSYNC_MAX_FILES": "0"},
		"CONFIGSYNC_RESYNC: want at least 100ms":                     {"CONFIGSYNC_RESYNC": "1ms"},
		"CONFIGSYNC_VALIDATE_TIMEOUT: want more than 0s":             {"CONFIGSYNC_VALIDATE_TIMEOUT": "0s"},
		`CONFIGSYNC_ETCD_ENDPOINTS: "http://a:1" is not valid: want`: {"CONFIGSYNC_ETCD_ENDPOINTS": "http://a:1"},
	} {
		full := map[string]string{}
		for name, value := range base {
			full[name] = value
		}
		for name, value := range env {
			full[name] = value
			if value == "-" {
				delete(full, name)
			}
		}
		cfg, err := process.Parse[Config](Program, full)
		if err == nil {
			err = Run(t.Context(), cfg)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", env, err, want)
		}
	}
}

func FuzzBelow(f *testing.F) {
	for _, rest := range []string{"a", "a/b", "../a", "a/../b", "/a", "a//b", ".hidden", "a\\b", "a\x00", "\xff", ""} {
		f.Add(rest)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		name, err := below(rest)
		if err != nil {
			return
		}
		if name != rest || !filepath.IsLocal(name) || strings.HasPrefix(filepath.Base(name), ".") {
			t.Errorf("%q becomes the file %q", rest, name)
		}
	})
}
