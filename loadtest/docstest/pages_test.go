package docstest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The pages of docs/ that show commands are executed in the order of their names, against
// one fleet, which is ready before each.
func TestCommandsOfThePagesPrintWhatThePagesSay(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: the commands of the pages were not executed")
	}
	var names []string
	pages := map[string]Page{}
	var all []Step
	for _, name := range documents(t) {
		page, text := parse(t, name)
		if len(page.Steps) == 0 && len(page.Left) == 0 {
			continue
		}
		names, pages[name], all = append(names, name), page, append(all, page.Steps...)
		for _, want := range []string{"## Try it", "## Break it"} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("%s has no %q", name, want)
			}
		}
	}
	s := newScratch(t, freePorts(t, all))
	if r := s.run(t, "go run ./infra/local up -d all"); r.err != nil {
		t.Fatalf("the fleet did not start: %v\n%s", r.err, r.printed)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			s.awaitReady(t)
			s.execute(t, name, pages[name].Steps)
			reportLeft(t, name, pages[name].Left)
		})
	}
}

func parse(t *testing.T, name string) (Page, string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	page, err := Parse(string(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return page, string(text)
}

// awaitReady waits until the fleet has got over the page before: its processes are ready,
// and edges and caches have noticed.
func (s *scratch) awaitReady(t *testing.T) {
	t.Helper()
	r := s.run(t, `for i in $(seq 300); do
		if go run ./infra/local status --json | grep -q '^  "state": "ready"' &&
			! cat .flotilla/endpoints/edge .flotilla/endpoints/cache | while read -r name data admin; do curl -s "http://$admin/metrics"; done |
				grep -qE '^upstream_endpoint_(ejected[{].*} 1|state[{].*state="(down|unknown)".*} 1)'; then exit; fi
		sleep 0.2
	done; go run ./infra/local status; exit 1`)
	if r.err != nil {
		t.Fatalf("the fleet does not become ready: %v\n%s", r.err, r.printed)
	}
}
