package lognorm_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/adapters/lognorm"
	"github.com/flotilla-dev/flotilla/internal/process"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// programVariable makes this test binary be lognorm: a crash can only be tested
// in a process of its own.
const programVariable = "TEST_BE_LOGNORM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		os.Unsetenv(programVariable)
		process.Main(lognorm.Program, lognorm.Run)
	}
	goleak.VerifyTestMain(m)
}

// output keeps what was written.
type output struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.String()
}

// entry is a record as it leaves.
type entry struct {
	Timestamp, ObservedTimestamp, SeverityText, TraceId string
	SeverityNumber                                      int
	Body                                                any
	Attributes, Resource                                map[string]any
}

func (e entry) uid() string { return fmt.Sprint(e.Attributes["log.record.uid"]) }

func entries(t *testing.T, text string) []entry {
	t.Helper()
	var all []entry
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		all = append(all, e)
	}
	return all
}

// running is a lognorm in this process.
type running struct {
	t           *testing.T
	out         *output
	data, admin string
	stop        context.CancelFunc
	done        chan error
}

// start runs lognorm with the environment; change may alter what cannot be said there.
func start(t *testing.T, env map[string]string, change func(*lognorm.Config)) *running {
	t.Helper()
	r, err := try(t, env, change)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func parse(env map[string]string) (lognorm.Config, error) {
	full := map[string]string{
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "DRAIN_DELAY": "0s", "DRAIN_TIMEOUT": "5s", "LOG_LEVEL": "error",
		"LOGNORM_POLL_INTERVAL": "5ms", "LOGNORM_LOOK_INTERVAL": "20ms", "LOGNORM_TRACE_WAIT": "30ms", "LOGNORM_LINE_WAIT": "300ms", "LOGNORM_ROTATION_GRACE": "200ms", "LOGNORM_SAVE_INTERVAL": "50ms",
	}
	for k, v := range env {
		full[k] = v
	}
	return process.Parse[lognorm.Config](lognorm.Program, full)
}

func try(t *testing.T, env map[string]string, change func(*lognorm.Config)) (*running, error) {
	t.Helper()
	cfg, err := parse(env)
	if err != nil {
		return nil, err
	}
	r := &running{t: t, out: &output{}, done: make(chan error, 1)}
	cfg.Out, cfg.Getenv = r.out, func(string) string { return "" }
	if change != nil {
		change(&cfg)
	}
	listening := make(chan struct{})
	cfg.OnListen = func(data, admin net.Addr) {
		r.data, r.admin = "http://"+data.String(), "http://"+admin.String()
		close(listening)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.done <- lognorm.Run(ctx, cfg); close(r.done) }()
	t.Cleanup(func() { r.end(); http.DefaultClient.CloseIdleConnections() })
	select {
	case <-listening:
		return r, nil
	case err := <-r.done:
		return nil, err
	}
}

// end stops it and returns its error.
func (r *running) end() error {
	r.stop()
	select {
	case err := <-r.done:
		return err
	case <-time.After(20 * time.Second):
		r.t.Error("Run did not return")
		return nil
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (r *running) source(name string) lognorm.Source {
	r.t.Helper()
	var s lognorm.Source
	if err := json.Unmarshal([]byte(get(r.t, r.data+"/v1/sources/"+name)), &s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// await waits until so many records have left.
func (r *running) await(n int) []entry {
	r.t.Helper()
	await.Seen(r.t, fmt.Sprintf("%d records", n), func() (any, bool) {
		have := strings.Count(r.out.String(), "\n")
		return have, have >= n
	})
	return entries(r.t, r.out.String())
}

// logs is a directory of logs.
type logs struct {
	*testing.T
	dir string
}

func newLogs(t *testing.T) logs { return logs{t, t.TempDir()} }

func (l logs) path(name string) string { return filepath.Join(l.dir, name) }

func (l logs) append(name, text string) {
	l.Helper()
	f, err := os.OpenFile(l.path(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		l.Fatal(err)
	}
	if err := f.Close(); err != nil {
		l.Fatal(err)
	}
}

func (l logs) rename(from, to string) {
	l.Helper()
	if err := os.Rename(l.path(from), l.path(to)); err != nil {
		l.Fatal(err)
	}
}

// numbered makes lines of several formats, each with a token that occurs once.
func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		switch i % 5 {
		case 0:
			fmt.Fprintf(&b, "I0305 10:11:12.123456   12345 server.go:42] line <%d>\n", i)
		case 1:
			fmt.Fprintf(&b, "{\"level\":\"info\",\"msg\":\"line <%d>\"}\n", i)
		case 2:
			fmt.Fprintf(&b, "192.0.2.1 - - [05/Mar/2024:10:11:12 +0100] \"GET /<%d> HTTP/1.1\" 200 512\n", i)
		case 3:
			fmt.Fprintf(&b, "nothing that is known <%d>\n", i)
		case 4:
			fmt.Fprintf(&b, "Mar  5 10:11:12 host app[1]: line <%d>\n", i)
		}
	}
	return b.String()
}

// tally counts how often each token occurs; where a record has another's UID it
// counts it as repeated instead.
func tally(all []entry) (times map[string]int, repeated int) {
	times = map[string]int{}
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.uid()] {
			repeated++
			continue
		}
		seen[e.uid()] = true
		text := fmt.Sprint(e.Body)
		if at := strings.IndexByte(text, '<'); at >= 0 {
			token, _, _ := strings.Cut(text[at:], ">")
			times[token]++
		}
	}
	return times, repeated
}

func wantEach(t *testing.T, all []entry, n int) (repeated int) {
	t.Helper()
	times, repeated := tally(all)
	missing, double := 0, 0
	for i := range n {
		switch c := times[fmt.Sprintf("<%d", i)]; {
		case c == 0:
			missing++
		case c > 1:
			double++
		}
	}
	if missing > 0 || double > 0 || len(times) != n {
		t.Errorf("of %d lines %d are missing, %d have several identities, %d tokens", n, missing, double, len(times))
	}
	return repeated
}
