package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/kafkatest"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/services/search"
	"github.com/flotilla-dev/flotilla/services/search/control"
	"github.com/flotilla-dev/flotilla/services/search/document"
	"github.com/flotilla-dev/flotilla/services/search/index"
	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/reshard"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// driver is this binary as the program that moves documents; the test names the phase in which it kills itself.
const (
	driver    = "searchreshard"
	diesAt    = "ENDTOEND_DIES_AT"
	layoutVar = "ENDTOEND_LAYOUT"
	brokerVar = "ENDTOEND_BROKER"
	rootsVar  = "ENDTOEND_ROOTS"
)

// drive is the driver's main.
func drive() {
	s := reshard.Settings{Brokers: []string{os.Getenv(brokerVar)}, LayoutFile: os.Getenv(layoutVar), Roots: os.Getenv(rootsVar), Level: 1000, Linger: 2 * time.Second,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	d, err := s.Driver(true)
	if err == nil {
		dies := control.Phase(os.Getenv(diesAt))
		d.Pause = func(now control.Phase) {
			if now == dies {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // it does not return
			}
		}
		err = d.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A move is a search of three shards that becomes one of five: two roots, all processes.
type move struct {
	t      *testing.T
	broker *kafkatest.Broker
	layout string
	now    string // the file, and the section of the next layout
	next   string
	roots  []*replica
	env    []string // of drivers
	roles  string   // the roots, for drivers
	last   string   // layout that the documents are in at the end
}

// startMove starts leaves of both layouts, of which the next one is called documents- and its number of shards, and two roots.
func startMove(t *testing.T, shards, more int, env ...string) *move {
	t.Helper()
	m := &move{t: t, broker: kafkatest.Embedded(t), layout: filepath.Join(t.TempDir(), "layout.yaml")}
	m.last = fmt.Sprint("documents-", more)
	m.now = "control: documents.layout\nshards:\n" + m.leaves("documents", shards)
	m.next = m.section(m.last, more)
	m.lay(m.now + moving(m.next))
	var addresses []string
	for range 2 {
		r := m.process(search.Program.Name, append([]string{"SEARCH_LAYOUT_FILE=" + m.layout, "SEARCH_KAFKA=" + m.broker.Addr, "SEARCH_TIMEOUT=20s", "CHECK_INTERVAL=100ms", "CHECK_TIMEOUT=5s",
			"SEARCH_WRITE_TIMEOUT=20s", "SEARCH_LEAF_CONNECT_TIMEOUT=5s", "EJECT_AFTER=0"}, env...)...)
		m.roots = append(m.roots, r)
		_, port, _ := strings.Cut(r.admin, ":")
		addresses = append(addresses, r.data+"/"+port)
	}
	for _, r := range m.roots {
		r.ready()
	}
	m.roles = strings.Join(addresses, ",")
	m.env = []string{program + "=" + driver, layoutVar + "=" + m.layout, brokerVar + "=" + m.broker.Addr, rootsVar + "=" + m.roles}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return m
}

// section starts the leaves of a layout, and is how a file tells of it.
func (m *move) section(topic string, shards int) string {
	return fmt.Sprintf("topic: %s\nplacement: jump\nshards:\n%s", topic, m.leaves(topic, shards))
}

// moving is a section as that of the next layout.
func moving(section string) string {
	return "next:\n  " + strings.ReplaceAll(strings.TrimSpace(section), "\n", "\n  ") + "\n"
}

// lay writes the layout file, as a whole.
func (m *move) lay(text string) {
	m.t.Helper()
	if err := atomicfile.Write(m.layout, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *move) process(name string, env ...string) *replica {
	r := &replica{t: m.t, data: nettest.Refuse(m.t), admin: nettest.Refuse(m.t), program: name}
	r.env = append(env, "LISTEN_ADDR="+r.data, "ADMIN_ADDR="+r.admin, "LOG_LEVEL=ERROR", "DRAIN_DELAY=0s")
	r.start()
	m.t.Cleanup(r.kill)
	return r
}

// leaves are those of a topic, as lines of a layout.
func (m *move) leaves(topic string, shards int) string {
	var lines strings.Builder
	var all []*replica
	for i := range shards {
		r := m.process("searchleaf", "SEARCHLEAF_KAFKA="+m.broker.Addr, "SEARCHLEAF_TOPIC="+topic, fmt.Sprint("SEARCHLEAF_PARTITION=", i), fmt.Sprint("SEARCHLEAF_PARTITIONS=", shards))
		_, port, _ := strings.Cut(r.admin, ":")
		fmt.Fprintf(&lines, "- %s/%s\n", r.data, port)
		all = append(all, r)
	}
	for _, r := range all {
		r.ready()
	}
	return lines.String()
}

// drive runs a driver; "" or the phase before whose next step it is killed.
func (m *move) drive(dies control.Phase) error {
	ctx, cancel := context.WithTimeout(m.t.Context(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0])
	c.Env = append(append(os.Environ(), m.env...), diesAt+"="+string(dies))
	said, err := c.CombinedOutput()
	if err != nil && dies == "" {
		return fmt.Errorf("%w: %s", err, said)
	}
	if dies != "" && (err == nil || !strings.Contains(err.Error(), "killed")) {
		return fmt.Errorf("the driver was to be killed at %s: %v: %s", dies, err, said)
	}
	return nil
}

func (m *move) request(root int, method, path, body string) (int, string, error) {
	r, err := http.NewRequest(method, "http://"+m.roots[root].data+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// A book is what a writer may say of its documents: for each id the version that was acknowledged, and those after it that may be there.
type book struct {
	acknowledged map[string]int   // version; negative: deleted by it
	open         map[string][]int // written since, with an end that is not known
}

// write writes, replaces and deletes documents of its own until ctx ends. What is refused is not written.
func (m *move) write(ctx context.Context, writer int, longest *time.Duration) (*book, error) {
	b := &book{map[string]int{}, map[string][]int{}}
	random := rand.New(rand.NewPCG(1, uint64(writer)))
	for n := 1; ctx.Err() == nil; n++ {
		id, root := fmt.Sprintf("w%d-%d", writer, random.IntN(60)), n%2
		method, body, version := http.MethodPut, fmt.Sprintf(`{"title": "moving %s", "text": "version%d of it", "labels": {"version": "%d"}}`, strings.Repeat("on ", n%5), n, n), n
		if random.IntN(4) == 0 {
			method, body, version = http.MethodDelete, "", -n
		}
		began := time.Now()
		status, answer, err := m.request(root, method, "/v1/documents/"+id, body)
		*longest = max(*longest, time.Since(began))
		var written search.Written
		switch {
		case err != nil || status == http.StatusGatewayTimeout: // a root that was killed, too
			b.open[id] = append(b.open[id], version)
		case status == http.StatusServiceUnavailable:
		case status == http.StatusOK && json.Unmarshal([]byte(answer), &written) == nil:
			b.acknowledged[id] = version
			delete(b.open, id)
			if err := m.readYourWrite(1-root, id, version, &written); err != nil {
				return b, err
			}
		default:
			return b, fmt.Errorf("%s %s: status %d %s", method, id, status, answer)
		}
	}
	return b, nil
}

// readYourWrite asks the other root for what was just written. One that has not heard of the layout says so.
func (m *move) readYourWrite(root int, id string, version int, w *search.Written) error {
	var pairs []string
	for shard, epoch := range w.Epochs {
		pairs = append(pairs, shard+":"+fmt.Sprint(epoch))
	}
	word := fmt.Sprintf("text:version%d", max(version, -version))
	status, body, err := m.request(root, http.MethodGet, "/v1/search?require=all&q="+word+"&min_epochs="+w.Layout+"/"+strings.Join(pairs, ","), "")
	var a search.Answer
	switch {
	case err != nil || status == http.StatusServiceUnavailable && (strings.Contains(body, "#layout-unknown") || strings.Contains(body, "#incomplete")):
		return nil // a root that is not there, or says that it does not know
	case status != http.StatusOK || json.Unmarshal([]byte(body), &a) != nil:
		return fmt.Errorf("read your write of %s at %s: %d %s", id, w.Layout, status, body)
	}
	if found := strings.Contains(body, `"id":"`+id+`"`); found != (version > 0) {
		return fmt.Errorf("%s, version %d, written in %s at %v, found %v in %s at %v", id, version, w.Layout, w.Epochs, found, a.Layout, a.Epochs)
	}
	return nil
}

// A tally counts searches of a root that is not killed.
type tally struct {
	mu       sync.Mutex
	searches int
	failed   []string
	layouts  map[string]int
}

func (m *move) search(ctx context.Context, root int, c *tally) {
	for ctx.Err() == nil {
		status, body, err := m.request(root, http.MethodGet, "/v1/search?q=animal&require=all", "")
		var a search.Answer
		if err == nil && status == http.StatusOK {
			err = json.Unmarshal([]byte(body), &a)
		}
		c.mu.Lock()
		c.searches++
		if err != nil || status != http.StatusOK || a.Total != 300 || a.Harvest.Documents != 1 {
			c.failed = append(c.failed, fmt.Sprintf("root %d: %v %d %.300s", root, err, status, body))
		}
		c.layouts[a.Layout]++
		c.mu.Unlock()
		pause(20 * time.Millisecond) // the machine is for the copy, too
	}
}

func (m *move) status(root int) (s search.Status) {
	_, body, err := m.request(root, http.MethodGet, "/v1/status", "")
	if err == nil {
		_ = json.Unmarshal([]byte(body), &s) // else it is empty
	}
	return s
}

// all are the documents that a search finds, by pages, and its answers are those of one index, to the last bit.
func (m *move) all(root int) map[string]document.Document {
	m.t.Helper()
	found := map[string]document.Document{}
	for after := ""; ; {
		_, body, err := m.request(root, http.MethodGet, "/v1/search?q=*&limit=100&require=all&after="+after, "")
		var a search.Answer
		if err != nil || json.Unmarshal([]byte(body), &a) != nil || a.Layout != m.last {
			m.t.Fatalf("%v %s", err, body)
		}
		for _, h := range a.Hits {
			if _, twice := found[h.ID]; twice {
				m.t.Errorf("%s is there twice", h.ID)
			}
			_, text, err := m.request(root, http.MethodGet, "/v1/documents/"+h.ID, "")
			var d document.Document
			if err != nil || json.Unmarshal([]byte(text), &d) != nil || d.ID != h.ID {
				m.t.Fatalf("%v %s", err, text)
			}
			found[h.ID] = d
		}
		if after = a.Next; after == "" {
			return found
		}
	}
}

func (m *move) fill(documents []document.Document) {
	m.t.Helper()
	var lines strings.Builder
	for _, d := range documents {
		_ = json.NewEncoder(&lines).Encode(d) // to memory
	}
	for path, method := range map[string]string{"/v1/documents": http.MethodPost, "/v1/marks/filled": http.MethodPut} {
		if status, body, err := m.request(0, method, path, lines.String()); err != nil || status != http.StatusOK {
			m.t.Fatalf("%s: %d %s %v", path, status, body, err)
		}
	}
	for root := range m.roots {
		await.Seen(m.t, "all documents to be found", func() (any, bool) {
			_, body, err := m.request(root, http.MethodGet, "/v1/search?q=animal&require=all", "")
			return body, err == nil && strings.Contains(body, `"total":300,`)
		})
	}
}

func TestDocumentsMoveToMoreShardsWhileTheyAreSearchedAndWritten(t *testing.T) {
	moveUnderLoad(t, true, func(m *move) error { return m.drive("") })
}

func TestAMoveBearsTheEndOfItsDriverAndOfARootInEachPhase(t *testing.T) {
	moveUnderLoad(t, false, func(m *move) error {
		for _, phase := range []control.Phase{control.Copying, control.Sealing, control.Sealed, control.Switched} {
			if err := m.drive(phase); err != nil {
				return err
			}
			t.Logf("the driver was killed at %s: %+v", phase, m.status(0).Control)
			m.restart(1)
		}
		return m.drive("")
	})
}

// moveUnderLoad moves documents while they are searched and written at two roots; searches of the second one are counted if both serve all the time.
func moveUnderLoad(t *testing.T, both bool, drive func(*move) error) {
	if testing.Short() {
		t.Skip("SKIPPED: it starts eight leaves and two roots as processes")
	}
	m := startMove(t, 3, 5, "SEARCH_CONTROL_SILENCE=60s")
	m.fill(animals(300))
	_, first, _ := m.request(0, http.MethodGet, "/v1/search?q=animal", "")
	var page search.Answer
	if err := json.Unmarshal([]byte(first), &page); err != nil || page.Next == "" {
		t.Fatalf("%v %s", err, first)
	}
	running, stop := context.WithCancel(t.Context())
	defer stop()
	counts := &tally{layouts: map[string]int{}}
	var work sync.WaitGroup
	work.Go(func() { m.search(running, 0, counts) })
	if both {
		work.Go(func() { m.search(running, 1, counts) })
	}
	const writers = 3
	books, errs, longest := make([]*book, writers), make([]error, writers), make([]time.Duration, writers)
	for w := range writers {
		work.Go(func() { books[w], errs[w] = m.write(running, w, &longest[w]) })
	}
	if err := drive(m); err != nil {
		t.Fatal(err)
	}
	for root := range m.roots {
		await.Seen(t, "a root to serve the next layout", func() (any, bool) {
			s := m.status(root)
			return s.Control, s.Topic == "documents-5" && s.Control != nil && s.Control.Phase == control.Serving && s.Control.Writable
		})
	}
	for before, n := 0, 0; n < before+20; { // some more in the next layout
		counts.mu.Lock()
		n = counts.layouts["documents-5"]
		counts.mu.Unlock()
		if before == 0 {
			before = max(n, 1)
		}
		pause(20 * time.Millisecond)
	}
	stop()
	work.Wait()
	for w, err := range errs {
		if err != nil {
			t.Errorf("writer %d: %v", w, err)
		}
	}
	if len(counts.failed) > 0 || counts.layouts["documents"] == 0 || counts.layouts["documents-5"] == 0 {
		t.Errorf("%d of %d searches failed, in %v: %v", len(counts.failed), counts.searches, counts.layouts, counts.failed[:min(3, len(counts.failed))])
	}
	t.Logf("%d searches in %v, longest writes %v, late %d", counts.searches, counts.layouts, longest, m.status(0).Control.Late)
	m.account(books)
	m.compare()
	if status, body, _ := m.request(0, http.MethodGet, "/v1/search?q=animal&after="+page.Next, ""); status != http.StatusGone || !strings.Contains(body, "#cursor-expired") {
		t.Errorf("a cursor of the layout before: %d %s", status, body)
	}
	if status, body, _ := m.request(0, http.MethodGet, "/v1/search?q=animal&min_epochs=0:1", ""); status != http.StatusBadRequest || !strings.Contains(body, "documents-5/0:18") {
		t.Errorf("epochs without a layout: %d %s", status, body)
	}
	if status, body, _ := m.request(0, http.MethodGet, "/v1/search?q=animal&min_epochs=documents/0:1", ""); status != http.StatusOK {
		t.Errorf("epochs of the layout before: %d %s", status, body)
	}
	if status, body, _ := m.request(0, http.MethodGet, "/v1/marks/filled", ""); status != http.StatusOK || !strings.Contains(body, `"shards":5`) {
		t.Errorf("a mark from before: %d %s", status, body)
	}
}

// account holds what is found against what was written: every document once, in the version that was acknowledged last, or in one behind it
// whose end is not known; none that was deleted.
func (m *move) account(books []*book) {
	m.t.Helper()
	found := m.all(0)
	if other := m.all(1); !reflect.DeepEqual(found, other) {
		m.t.Errorf("the roots find %d and %d documents", len(found), len(other))
	}
	acknowledged, open := 0, 0
	known := map[string]bool{}
	for _, d := range animals(300) {
		known[d.ID] = true
		if !reflect.DeepEqual(found[d.ID], d) {
			m.t.Errorf("%s was written as %+v, is %+v", d.ID, d, found[d.ID])
		}
	}
	for _, b := range books {
		ids := map[string]bool{}
		for id := range b.acknowledged {
			ids[id] = true
		}
		for id := range b.open {
			ids[id] = true
		}
		for id := range ids {
			known[id] = true
			acknowledged++
			have := 0
			if d, is := found[id]; is {
				_, _ = fmt.Sscan(d.Labels["version"], &have) // 0 is none
			}
			right := have == max(b.acknowledged[id], 0)
			for _, version := range b.open[id] {
				open++
				right = right || have == max(version, 0)
			}
			if !right {
				m.t.Errorf("%s: version %d, acknowledged %d, open %v", id, have, b.acknowledged[id], b.open[id])
			}
		}
	}
	for id := range found {
		if !known[id] {
			m.t.Errorf("nobody has written %s", id)
		}
	}
	m.t.Logf("%d documents: those of %d ids that were written meanwhile, %d of whose writes have an end that is not known, are as they were acknowledged", len(found), acknowledged, open)
}

// compare asks for some words and demands what one index with the same documents answers.
func (m *move) compare() {
	m.t.Helper()
	x := index.New(index.Options{Versions: time.Hour})
	var changes []index.Change
	for _, d := range m.all(0) {
		changes = append(changes, index.Change{Offset: int64(len(changes)), ID: d.ID, Document: &d})
	}
	if err := x.Apply(changes); err != nil {
		m.t.Fatal(err)
	}
	for _, text := range []string{"animal", "cat", "very animal", "moving", "on moving", "animal OR moving", "cat AND very", `"a cat"`, "anim*", "moving -on", "*"} {
		n, err := query.Parse(text, query.Options{Operator: query.Or})
		if err != nil {
			m.t.Fatal(err)
		}
		want, err := index.Single(m.t.Context(), x, wire.SearchRequest{Epoch: wire.Latest, Plan: wire.Plan{Query: n}, Limit: 100})
		if err != nil {
			m.t.Fatal(err)
		}
		request, _ := http.NewRequest(http.MethodGet, "/v1/search", nil)
		values := request.URL.Query()
		values.Set("q", text)
		values.Set("limit", "100")
		for root := range m.roots {
			_, body, err := m.request(root, http.MethodGet, "/v1/search?"+values.Encode(), "")
			var a search.Answer
			if err != nil || json.Unmarshal([]byte(body), &a) != nil || a.Total != want.Total || len(a.Hits) != len(want.Hits) {
				m.t.Errorf("%s: %v %.200s, want %d", text, err, body, want.Total)
				continue
			}
			for i, h := range a.Hits {
				if h.ID != want.Hits[i].ID || h.Score != math.Float64frombits(want.Hits[i].Bits) {
					m.t.Errorf("%s: hit %d is %s %v, want %s %v", text, i, h.ID, h.Score, want.Hits[i].ID, math.Float64frombits(want.Hits[i].Bits))
					break
				}
			}
		}
	}
}
