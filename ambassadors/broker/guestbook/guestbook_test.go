package guestbook

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/ambassadors/broker"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/openapi"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(filepath.Dir(build.path))
		os.Exit(code)
	}))
}

const secret = "s3cret-word"

// builds the embedded database once.
var build struct {
	sync.Once
	path string
	err  error
}

func mysqlProgram(t *testing.T) string {
	t.Helper()
	build.Do(func() { // by the tree itself: a program of another module is started, not imported
		dir, err := os.MkdirTemp("", "guestbook-")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "mysql")
		cmd := exec.Command("go", "build", "-o", build.path, "./infra/backends/mysql/cmd/mysql")
		cmd.Dir = "../../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

func passwordFile(t *testing.T, word string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(word+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// database is a process of the embedded database.
type database struct {
	t    *testing.T
	addr string
	dir  string
	cmd  *exec.Cmd
}

func startDatabase(t *testing.T, dir string) *database {
	t.Helper()
	d := &database{t: t, addr: nettest.Refuse(t), dir: dir}
	d.start()
	t.Cleanup(d.kill)
	return d
}

func (d *database) start() {
	d.t.Helper()
	d.cmd = exec.Command(mysqlProgram(d.t))
	d.cmd.Env = []string{
		"LISTEN_ADDR=" + d.addr, "ADMIN_ADDR=127.0.0.1:0", "LOG_LEVEL=WARN", "MYSQL_DATABASE=guestbook", "MYSQL_USER=guestbook",
		"MYSQL_PASSWORD_FILE=" + passwordFile(d.t, secret), "MYSQL_DATA_DIR=" + d.dir, "TMPDIR=" + os.TempDir(),
	}
	d.cmd.Stderr = os.Stderr
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	await.That(d.t, "the database listens", func() bool {
		conn, err := net.Dial("tcp", d.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (d *database) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// run runs a program of this module until the end of the test.
func run[C any](t *testing.T, p process.Program, main func(context.Context, C) error, contract func(*C) *process.Contract, env map[string]string) (data string) {
	t.Helper()
	all := map[string]string{"LOG_LEVEL": "ERROR+4", "DRAIN_TIMEOUT": "1s"}
	maps.Copy(all, env)
	cfg := processtest.Parse[C](t, p, all)
	return processtest.Start(t, contract(&cfg), func(ctx context.Context) error { return main(ctx, cfg) }).Data
}

func startBroker(t *testing.T, env map[string]string) string {
	t.Helper()
	env["BROKER_CHECK_INTERVAL"] = "100ms"
	return run(t, broker.Program, broker.Run, func(c *broker.Config) *process.Contract { return &c.Contract }, env)
}

func startBook(t *testing.T, database, password string) (url string) {
	t.Helper()
	return "http://" + run(t, Program, Run, func(c *Config) *process.Contract { return &c.Contract }, map[string]string{
		"GUESTBOOK_DATABASE": "guestbook@tcp(" + database + ")/guestbook", "GUESTBOOK_PASSWORD_FILE": passwordFile(t, password),
		"GUESTBOOK_CONNECTION_LIFETIME": "300ms",
	})
}

// client sees redirects.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func ask(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	return processtest.Do(t, client, method, url, body, append([]string{"Content-Type", "application/json"}, header...)...)
}

func TestTheBookIsSignedAndRead(t *testing.T) {
	url := startBook(t, startDatabase(t, t.TempDir()).addr, secret)
	if resp, body := ask(t, "GET", url+"/v1/entries", ""); resp.StatusCode != 200 || body != "[]\n" {
		t.Errorf("an empty book: %d %s", resp.StatusCode, body)
	}
	for i := range 3 {
		resp, body := ask(t, "POST", url+"/v1/entries", fmt.Sprintf(`{"name":" Änn <%d> ","message":"it's\n\"fine\""}`, i))
		if resp.StatusCode != 201 || !strings.Contains(body, fmt.Sprintf(`"id":%d,"name":"Änn \u003c%d\u003e"`, i+1, i)) {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	_, body := ask(t, "GET", url+"/v1/entries?limit=1&before=3", "")
	var entries []Entry
	if err := json.Unmarshal([]byte(body), &entries); err != nil || len(entries) != 1 || entries[0].ID != 2 || entries[0].Message != "it's\n\"fine\"" || time.Since(entries[0].Created).Abs() > time.Minute {
		t.Errorf("%s, %v", body, err)
	}
	if _, body := ask(t, "GET", url+"/", ""); !strings.Contains(body, "Änn &lt;2&gt;") || strings.Contains(body, "<2>") {
		t.Error("the page does not show the entry, or not as text")
	}
}

func TestTheSameKeyMakesOneEntry(t *testing.T) {
	url := startBook(t, startDatabase(t, t.TempDir()).addr, secret)
	_, first := ask(t, "POST", url+"/v1/entries", `{"name":"ann"}`, "Idempotency-Key", "k-1")
	_, second := ask(t, "POST", url+"/v1/entries", `{"name":"ann"}`, "Idempotency-Key", "k-1")
	_, third := ask(t, "POST", url+"/v1/entries", `{"name":"ann"}`, "Idempotency-Key", "K-1")
	if first != second || first == third {
		t.Errorf("%s%s%s", first, second, third)
	}
}

func TestTheFormOfThePageSigns(t *testing.T) {
	book := startBook(t, startDatabase(t, t.TempDir()).addr, secret)
	const form = "application/x-www-form-urlencoded"
	resp, _ := ask(t, "POST", book+"/", url.Values{"name": {"bob"}, "message": {"hi"}, "token": {"x"}}.Encode(), "Content-Type", form)
	if resp.StatusCode != http.StatusSeeOther {
		t.Errorf("status %d", resp.StatusCode)
	}
	resp, body := ask(t, "POST", book+"/", url.Values{"name": {""}}.Encode(), "Content-Type", form)
	if resp.StatusCode != 422 || !strings.Contains(body, "name has 1 to 80 printable characters") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestBadInputIsToldWhatWouldBeRight(t *testing.T) {
	url := startBook(t, startDatabase(t, t.TempDir()).addr, secret)
	for _, c := range []struct {
		method, path, body, key string
		status                  int
		want                    string
	}{
		{"POST", "/v1/entries", `{"name":""}`, "", 422, "name has 1 to 80"},
		{"POST", "/v1/entries", `{"name":"` + strings.Repeat("ä", 81) + `"}`, "", 422, "name has 1 to 80"},
		{"POST", "/v1/entries", `{"name":"a\u0000"}`, "", 422, "name has 1 to 80"},
		{"POST", "/v1/entries", `{"name":"a","message":"` + strings.Repeat("x", 2001) + `"}`, "", 422, "at most 2000"},
		{"POST", "/v1/entries", `{`, "", 400, "bad-request"},
		{"POST", "/v1/entries", `{"name":"a"}`, strings.Repeat("k", 65), 400, "Idempotency-Key"},
		{"GET", "/v1/entries?limit=0", "", "", 400, "limit is a number"},
		{"GET", "/v1/entries?limit=101", "", "", 400, "limit is a number"},
		{"GET", "/v1/entries?before=x", "", "", 400, "before is the id"},
	} {
		resp, body := ask(t, c.method, url+c.path, c.body, "Idempotency-Key", c.key)
		if resp.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %.40s: %d %s", c.method, c.path, c.body, resp.StatusCode, body)
		}
	}
	if resp, _ := ask(t, "POST", url+"/v1/entries", `{"name":"`+strings.Repeat("ä", 80)+`"}`); resp.StatusCode != 201 {
		t.Errorf("the longest name: %d", resp.StatusCode)
	}
}

// demandUnavailable asks for the entries and demands the error.
func demandUnavailable(t *testing.T, url string) {
	t.Helper()
	resp, body := ask(t, "GET", url+"/v1/entries", "")
	if resp.StatusCode != 503 || !strings.Contains(body, "database-unavailable") || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	for _, inner := range []string{"127.0.0.1", "broker", secret, "Error ", "dial"} {
		if strings.Contains(body, inner) {
			t.Errorf("%q is told: %s", inner, body)
		}
	}
	if resp, page := ask(t, "GET", url+"/", ""); resp.StatusCode != 503 || !strings.Contains(page, "cannot reach its database") {
		t.Errorf("the page: %d", resp.StatusCode)
	}
}

func TestWithoutADatabaseThereIsAClearError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "target")
	url := startBook(t, startBroker(t, map[string]string{"BROKER_FILE": file}), secret)
	demandUnavailable(t, url)
	d := startDatabase(t, t.TempDir())
	if err := os.WriteFile(file, []byte(d.addr), 0o600); err != nil {
		t.Fatal(err)
	}
	await.That(t, "it works", func() bool {
		resp, _ := ask(t, "POST", url+"/v1/entries", `{"name":"ann"}`)
		return resp.StatusCode == 201
	})
	d.kill()
	await.That(t, "it notices", func() bool { resp, _ := ask(t, "GET", url+"/v1/entries", ""); return resp.StatusCode == 503 })
	demandUnavailable(t, url)
	d.start()
	await.That(t, "it works again", func() bool {
		resp, body := ask(t, "GET", url+"/v1/entries", "")
		return resp.StatusCode == 200 && strings.Contains(body, "ann")
	})
}

func TestAWrongPasswordIsNotTold(t *testing.T) {
	demandUnavailable(t, startBook(t, startDatabase(t, t.TempDir()).addr, "wrong"))
}

// The database moves four times under readers and writers: no request fails, and
// no entry is lost or doubled.
func TestTheDatabaseMovesAndNobodyNotices(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "target")
	a, b := startDatabase(t, dir), startDatabase(t, dir) // two servers of one store
	point := func(d *database) {
		t.Helper()
		if err := os.WriteFile(file, []byte(d.addr), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	point(a)
	url := startBook(t, startBroker(t, map[string]string{"BROKER_FILE": file, "BROKER_DRAIN": "5s"}), secret)
	await.That(t, "it works", func() bool { resp, _ := ask(t, "GET", url+"/v1/entries", ""); return resp.StatusCode == 200 })
	ctx, cancel := context.WithCancel(context.Background())
	var written, read atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for ctx.Err() == nil {
				if resp, body := ask(t, "POST", url+"/v1/entries", `{"name":"ann"}`); resp.StatusCode != 201 {
					t.Errorf("write: %d %s", resp.StatusCode, body)
				}
				written.Add(1)
				if resp, body := ask(t, "GET", url+"/v1/entries", ""); resp.StatusCode != 200 {
					t.Errorf("read: %d %s", resp.StatusCode, body)
				}
				read.Add(1)
			}
		})
	}
	for i := range 4 {
		before := written.Load()
		point([]*database{b, a}[i%2])
		await.That(t, "the load goes on", func() bool { return written.Load() > before+100 })
	}
	cancel()
	workers.Wait()
	_, body := ask(t, "GET", url+"/v1/entries?limit=1", "")
	var newest []Entry
	if err := json.NewDecoder(bytes.NewReader([]byte(body))).Decode(&newest); err != nil || len(newest) != 1 || newest[0].ID != written.Load() {
		t.Errorf("%d entries were acknowledged; the newest is %s", written.Load(), body)
	}
}

func TestWrongParametersAreNamed(t *testing.T) {
	for value, want := range map[string]string{
		"root:pass@tcp(x:1)/db": "GUESTBOOK_PASSWORD_FILE", "nonsense": "want user@tcp", "root@tcp(x:1)/": "want user@tcp",
	} {
		_, err := process.Parse[Config](Program, map[string]string{"GUESTBOOK_DATABASE": value})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", value, err)
		}
	}
	cfg := processtest.Parse[Config](t, Program, map[string]string{"GUESTBOOK_CONNECTIONS": "0", "GUESTBOOK_CONNECTION_LIFETIME": "0s", "GUESTBOOK_QUERY_TIMEOUT": "0s"})
	err := Run(context.Background(), cfg)
	for _, name := range []string{"GUESTBOOK_CONNECTIONS", "GUESTBOOK_CONNECTION_LIFETIME", "GUESTBOOK_QUERY_TIMEOUT"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}

func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	document, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	routes(e, &handlers{})
	diff, err := openapi.Diff(document, e.Routes())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diff {
		t.Error(d)
	}
}
