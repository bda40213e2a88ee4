package docstest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var link = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)

// Links inside the tree lead somewhere.
func TestLinksOfThePagesLeadSomewhere(t *testing.T) {
	for _, name := range documents(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			}
		}
	}
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
