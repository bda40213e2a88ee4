package endtoend

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/services/search"
	"github.com/flotilla-dev/flotilla/services/search/control"
)

// awaitAnswer searches until there is an answer, of this layout, confirmed or not.
func (m *move) awaitAnswer(root int, layout string, confirmed bool) {
	m.t.Helper()
	await.Seen(m.t, "an answer of layout "+layout, func() (any, bool) {
		status, body, err := m.request(root, http.MethodGet, "/v1/search?q=animal&require=all", "")
		var a search.Answer
		is := err == nil && status == http.StatusOK && json.Unmarshal([]byte(body), &a) == nil
		return body, is && a.Layout == layout && a.Unconfirmed != confirmed && a.Total == 300
	})
}

// awaitProblem asks until it is refused so.
func (m *move) awaitProblem(root int, method, path, body string, parts ...string) {
	m.t.Helper()
	await.Seen(m.t, method+" "+path+" to be refused with "+strings.Join(parts, " and "), func() (any, bool) {
		status, answer, err := m.request(root, method, path, body)
		is := err == nil && status == http.StatusServiceUnavailable
		for _, part := range parts {
			is = is && strings.Contains(answer, part)
		}
		return answer, is
	})
}

func (m *move) restart(root int) {
	m.t.Helper()
	m.roots[root].kill()
	m.roots[root].start()
	m.roots[root].ready()
}

func TestARootWithoutKafkaAnswersOnlyFromALayoutWhoseLogHasNotEnded(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: it starts leaves and roots as processes, and moves documents")
	}
	m := startMove(t, 1, 2, "SEARCH_CONTROL_SILENCE=2s")
	m.fill(animals(300))
	m.awaitAnswer(1, "documents", true)

	// Nothing was moved: a root that starts without Kafka searches what its file says, and says so.
	m.broker.Kill()
	m.restart(1)
	m.awaitAnswer(1, "documents", false)
	m.awaitAnswer(0, "documents", false)
	for root := range m.roots {
		m.awaitProblem(root, http.MethodPut, "/v1/documents/x", `{"title": "x"}`, "#log-unavailable", "control topic cannot be read")
	}
	m.awaitProblem(1, http.MethodGet, "/v1/search?q=animal&min_epochs=0:1", "", "#layout-unknown", "documents/0:18")
	m.awaitProblem(1, http.MethodGet, "/v1/search?q=animal&min_epochs=documents-2/0:1", "", "#layout-unknown")
	m.awaitProblem(1, http.MethodGet, "/v1/search?q=animal&after=AAAA", "", "#layout-unknown")
	if status, body, err := m.request(1, http.MethodGet, "/v1/search?q=animal&min_epochs=documents/0:1", ""); err != nil || status != http.StatusOK {
		t.Errorf("epochs of the layout that is searched: %d %s %v", status, body, err)
	}
	if c := m.status(1).Control; c == nil || c.Known || !c.Silent || c.Writable {
		t.Errorf("%+v", c)
	}
	m.broker.Start()
	for root := range m.roots {
		m.awaitAnswer(root, "documents", true)
	}

	// Of the seals and of what was behind them root 1 does not hear: it is stopped meanwhile, and then there is no Kafka.
	if err := m.drive(control.Sealing); err != nil {
		t.Fatal(err)
	}
	m.roots[1].signal(syscall.SIGSTOP)
	if err := m.drive(""); err != nil {
		t.Fatal(err)
	}
	m.awaitAnswer(0, "documents-2", true)
	m.broker.Kill()
	m.roots[1].signal(syscall.SIGCONT)
	m.awaitProblem(1, http.MethodGet, "/v1/search?q=animal", "", "#layout-unknown", "has ended")
	if c := m.status(1).Control; c == nil || c.Phase != control.Sealing || !c.Silent {
		t.Errorf("%+v", c)
	}
	m.restart(1) // its file has the layout of before still
	for _, path := range []string{"/v1/search?q=animal", "/v1/documents/a0001", "/v1/explain/a0001?q=animal", "/v1/marks/filled"} {
		m.awaitProblem(1, http.MethodGet, path, "", "#layout-unknown", "has ended")
	}
	m.awaitAnswer(0, "documents-2", false) // which has heard of it
	m.lay("control: documents.layout\n" + m.next)
	m.awaitAnswer(1, "documents-2", false)
	m.broker.Start()
	for root := range m.roots {
		m.awaitAnswer(root, "documents-2", true)
	}
	if status, body, err := m.request(1, http.MethodPut, "/v1/documents/x", `{"title": "x"}`); err != nil || status != http.StatusOK {
		await.Seen(t, "documents to be written again", func() (any, bool) {
			status, body, err = m.request(1, http.MethodPut, "/v1/documents/x", `{"title": "x"}`)
			return body, err == nil && status == http.StatusOK
		})
	}
}
