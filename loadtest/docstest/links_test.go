package docstest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	link    = regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Links inside the tree lead to a file, and to a heading of it.
func TestLinksOfPagesAndReadmesLeadSomewhere(t *testing.T) {
	decisions, err := filepath.Glob(filepath.Join(root, "docs", "decisions", "*.md"))
	if err != nil || len(decisions) == 0 {
		t.Fatalf("no decisions: %v", err)
	}
	names := slices.Concat(documents(t), decisions, readmes(t), []string{filepath.Join(root, "README.md"), filepath.Join(root, "ARCHITECTURE.md"), filepath.Join(root, "CONTRIBUTING.md")})
	for _, name := range names {
		for _, m := range link.FindAllStringSubmatch(prose(t, name), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := name
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(name), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			} else if m[2] != "" && !slices.Contains(anchors(t, target), m[2][1:]) {
				t.Errorf("%s: %s has no heading %s", name, target, m[2])
			}
		}
	}
}

func prose(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return fence.ReplaceAllString(string(text), "")
}

// anchors are the names of a page's headings, as GitHub makes them.
func anchors(t *testing.T, name string) (all []string) {
	t.Helper()
	for _, m := range heading.FindAllStringSubmatch(prose(t, name), -1) {
		all = append(all, strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// The index knows every page.
func TestTheIndexListsEveryPage(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(root, "docs", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range documents(t) {
		if base := filepath.Base(name); base != "README.md" && !strings.Contains(string(index), "]("+base+")") {
			t.Errorf("docs/README.md does not list %s", base)
		}
	}
}

// docs/results.md says what the records say.
func TestResultsAreThoseOfTheRecords(t *testing.T) {
	want, err := proof.Document(filepath.Join(root, "loadtest", "results"), "../loadtest/results")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs", "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/results.md is not that of loadtest/results: run go run ./loadtest/cmd/prove docs")
	}
}

func documents(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	return names
}
