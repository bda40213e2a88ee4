package dictionary_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/dictionary"
	"github.com/flotilla-dev/flotilla/services/dictionary/wordnet/wordnettest"
)

// unpacked is a folder that all replicas share which do not ask for their own:
// the first one unpacks the data for all.
var unpacked string

func TestMain(m *testing.M) {
	var err error
	if unpacked, err = os.MkdirTemp("", "dictionary-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(unpacked)
		os.Exit(code)
	}))
}

// replica is a running dictionary.
type replica struct {
	*processtest.Running
	data, admin string // URLs
	client      *http.Client
}

// start runs a replica with env above the defaults. It need not be ready.
func start(t *testing.T, env map[string]string) *replica {
	t.Helper()
	values := map[string]string{"INSTANCE": "dictionary-1", "DICTIONARY_DATA_URL": "file:" + wordnettest.Packed(), "DICTIONARY_CACHE_DIR": unpacked}
	maps.Copy(values, env)
	cfg := processtest.Parse[dictionary.Config](t, dictionary.Program, values)
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return dictionary.Run(ctx, cfg) })
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &replica{running, "http://" + running.Data, "http://" + running.Admin, client}
}

// ready starts a replica and waits until it is ready.
func ready(t *testing.T, env map[string]string) *replica {
	t.Helper()
	r := start(t, env)
	r.await(t, "/readyz", http.StatusOK, "")
	return r
}

// await polls an administration path until it answers with the status and a text.
func (r *replica) await(t *testing.T, path string, status int, text string) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		resp, body := r.do(t, "GET", r.admin+path, "")
		if resp.StatusCode == status && strings.Contains(body, text) {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: %d %s; want %d and %q", path, resp.StatusCode, body, status, text)
		case <-poll.C:
		}
	}
}

// get asks for a path of the data listener.
func (r *replica) get(t *testing.T, path string, header ...string) (*http.Response, string) {
	t.Helper()
	return r.do(t, "GET", r.data+path, "", header...)
}

func (r *replica) do(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	return processtest.Do(t, r.client, method, url, body, header...)
}

// raw sends a request line that no client library would.
func (r *replica) raw(t *testing.T, target string) (status int, answer string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.data, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", target)
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(b), "HTTP/1.1 %d", &status); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	return status, string(b)
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	t.Parallel()
	cfg, err := process.Parse[dictionary.Config](dictionary.Program, map[string]string{
		"DICTIONARY_DATA_URL": "ftp://x/y", "DICTIONARY_DATA_SHA256": "abc", "DICTIONARY_SESSIONS": "0", "DICTIONARY_MAX_RATE": "-1",
		"DICTIONARY_DATA_TIMEOUT": "0s", "DICTIONARY_DATA_LIMIT": "0B", "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	err = dictionary.Run(t.Context(), cfg)
	for _, name := range []string{"DATA_URL", "DATA_SHA256", "SESSIONS", "MAX_RATE", "DATA_TIMEOUT", "DATA_LIMIT"} {
		if err == nil || !strings.Contains(err.Error(), "DICTIONARY_"+name) {
			t.Errorf("%s is not in: %v", name, err)
		}
	}
}

func TestItRunsAloneWithItsDefaults(t *testing.T) {
	t.Chdir(filepath.Dir(wordnettest.Packed()) + "/..") // where the image works too
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	r := ready(t, map[string]string{"DICTIONARY_DATA_URL": dictionary.Program.Defaults["DICTIONARY_DATA_URL"], "DICTIONARY_CACHE_DIR": ""})
	if resp, body := r.get(t, "/dog"); resp.StatusCode != 200 || !strings.Contains(body, "genus Canis") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if err := r.Stop(); err != nil { // the folder goes when the data is mapped: kill -9 would leave nothing either
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(temp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWithoutAnyFolderTheDataIsKeptInMemory(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	r := ready(t, map[string]string{"DICTIONARY_CACHE_DIR": ""})
	if resp, _ := r.get(t, "/dog"); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
}
