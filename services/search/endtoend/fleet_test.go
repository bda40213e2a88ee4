package endtoend

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/kafkatest"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
	"github.com/flotilla-dev/flotilla/services/search"
	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/leaf"
)

// program names what this binary is when a test starts it again: a leaf that can be killed needs a process of its own.
const program = "ENDTOEND_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(program) {
	case leaf.Program.Name:
		process.Main(leaf.Program, leaf.Run)
		return
	case search.Program.Name:
		process.Main(search.Program, search.Run)
		return
	case driver:
		drive()
		return
	}
	kafkatest.Main(m)
}

// A replica is a leaf that runs as a process.
type replica struct {
	t           testing.TB
	data, admin string
	program     string // "": a leaf
	env         []string
	process     *exec.Cmd
	said        bytes.Buffer
}

func (r *replica) start() {
	r.t.Helper()
	r.process = exec.Command(os.Args[0])
	r.process.Env = append(append(os.Environ(), r.env...), program+"="+cmp.Or(r.program, leaf.Program.Name))
	r.process.Stderr = &r.said
	if err := r.process.Start(); err != nil {
		r.t.Fatal(err)
	}
}

// kill ends the process as a lost machine would.
func (r *replica) kill() {
	_ = r.process.Process.Kill() // it may have ended
	_ = r.process.Wait()
}

func (r *replica) signal(s syscall.Signal) {
	if err := r.process.Process.Signal(s); err != nil {
		r.t.Error(err)
	}
}

func (r *replica) ready() {
	r.t.Helper()
	await.That(r.t, "a leaf to be ready", func() bool {
		response, err := http.Get("http://" + r.admin + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// reached waits until the leaf has read its log up to an epoch.
func (r *replica) reached(epoch int64) {
	r.t.Helper()
	await.Seen(r.t, "a leaf to have read its log", func() (any, bool) {
		response, err := http.Get("http://" + r.data + "/v1/status")
		if err != nil {
			return err, false
		}
		defer response.Body.Close()
		var status struct {
			Epoch int64 `json:"epoch"`
		}
		err = json.NewDecoder(response.Body).Decode(&status)
		return fmt.Sprint(status.Epoch, " of ", epoch, ": ", err), err == nil && status.Epoch >= epoch
	})
}

// A fleet is a root over shards of replicas, and their log.
type fleet struct {
	t      *testing.T
	broker *kafkatest.Broker
	shards [][]*replica
	root   *processtest.Running
}

func startFleet(t *testing.T, shards, replicas int, env map[string]string) *fleet {
	t.Helper()
	f := &fleet{t: t, broker: kafkatest.Embedded(t)}
	var layout strings.Builder
	layout.WriteString("shards:\n")
	for i := range shards {
		var all []*replica
		var addresses []string
		for range replicas {
			r := &replica{t: t, data: nettest.Refuse(t), admin: nettest.Refuse(t)}
			r.env = []string{"LISTEN_ADDR=" + r.data, "ADMIN_ADDR=" + r.admin, "SEARCHLEAF_KAFKA=" + f.broker.Addr, "LOG_LEVEL=ERROR", "DRAIN_DELAY=0s",
				fmt.Sprint("SEARCHLEAF_PARTITION=", i), fmt.Sprint("SEARCHLEAF_PARTITIONS=", shards)}
			r.start()
			t.Cleanup(r.kill)
			_, port, _ := strings.Cut(r.admin, ":")
			addresses = append(addresses, r.data+"/"+port)
			all = append(all, r)
		}
		f.shards = append(f.shards, all)
		fmt.Fprintf(&layout, "- %s\n", strings.Join(addresses, ","))
	}
	for _, shard := range f.shards {
		for _, r := range shard {
			r.ready()
		}
	}
	file := filepath.Join(t.TempDir(), "layout.yaml")
	if err := os.WriteFile(file, []byte(layout.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"SEARCH_LAYOUT_FILE": file, "SEARCH_KAFKA": f.broker.Addr, "SEARCH_TIMEOUT": "20s", "CHECK_INTERVAL": "100ms", "CHECK_TIMEOUT": "5s", "SEARCH_WRITE_TIMEOUT": "20s",
		"SEARCH_LEAF_CONNECT_TIMEOUT": "5s"} // else a busy machine is taken for leaves that are away
	for name, value := range env {
		all[name] = value
	}
	cfg := processtest.Parse[search.Config](t, search.Program, all)
	f.root = processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return search.Run(ctx, cfg) })
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	await.That(t, "the root to be ready", func() bool {
		response, _ := processtest.Get(t, "http://"+f.root.Admin+"/readyz")
		return response.StatusCode == http.StatusOK
	})
	return f
}

func (f *fleet) url(path string, parameters ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		values.Set(parameters[i], parameters[i+1])
	}
	return "http://" + f.root.Data + path + "?" + values.Encode()
}

// search is an answer, or an error; it may be called from any goroutine.
func (f *fleet) search(parameters ...string) (*search.Answer, error) {
	response, err := http.Get(f.url("/v1/search", parameters...))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d %v: %s", response.StatusCode, err, body)
	}
	var a search.Answer
	return &a, json.Unmarshal(body, &a)
}

func (f *fleet) mustSearch(parameters ...string) *search.Answer {
	f.t.Helper()
	a, err := f.search(parameters...)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// write sends a write that must be acknowledged, and returns its epochs for min_epochs.
func (f *fleet) write(method, path, body string) string {
	f.t.Helper()
	response, text := processtest.Do(f.t, http.DefaultClient, method, "http://"+f.root.Data+path, body)
	var w search.Written
	if err := json.Unmarshal([]byte(text), &w); err != nil || response.StatusCode != http.StatusOK {
		f.t.Fatalf("%s %s: status %d %v: %s", method, path, response.StatusCode, err, text)
	}
	var pairs []string
	for shard, epoch := range w.Epochs {
		pairs = append(pairs, fmt.Sprint(shard, ":", epoch))
	}
	return strings.Join(pairs, ",")
}

// fill writes documents and waits until every replica has them.
func (f *fleet) fill(documents []document.Document) {
	f.t.Helper()
	for len(documents) > 0 {
		n := min(len(documents), 500)
		var lines bytes.Buffer
		for _, d := range documents[:n] {
			if err := json.NewEncoder(&lines).Encode(d); err != nil {
				f.t.Fatal(err)
			}
		}
		f.write(http.MethodPost, "/v1/documents", lines.String())
		documents = documents[n:]
	}
	for _, pair := range strings.Split(f.write(http.MethodPut, "/v1/marks/filled", ""), ",") {
		var shard int
		var epoch int64
		if _, err := fmt.Sscanf(pair, "%d:%d", &shard, &epoch); err != nil {
			f.t.Fatalf("%q is no epoch: %v", pair, err)
		}
		for _, r := range f.shards[shard] {
			r.reached(epoch)
		}
	}
}

// load searches all the time, for all or nothing, until it is stopped; then it tells how often, and what failed.
func (f *fleet) load(clients int, parameters ...string) (stop func() (int, []error)) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var mu sync.Mutex
	var failed []error
	searches := 0
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				a, err := f.search(append(parameters, "require", "all")...)
				if err == nil && a.Harvest.Documents != 1 {
					err = fmt.Errorf("incomplete: %+v", a.Harvest)
				}
				mu.Lock()
				if searches++; err != nil {
					failed = append(failed, err)
				}
				mu.Unlock()
			}
		})
	}
	return func() (int, []error) {
		cancel()
		all.Wait()
		return searches, failed
	}
}

// pause keeps a pace where something has to go on for a while.
func pause(d time.Duration) { <-time.After(d) }
