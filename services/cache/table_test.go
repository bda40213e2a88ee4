package cache

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryTestOfTheTableExists holds RFC9111.md against the tests.
func TestEveryTestOfTheTableExists(t *testing.T) {
	table, err := os.ReadFile("RFC9111.md")
	must(t, err)
	var source strings.Builder
	must(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") || path == "table_test.go" {
			return err
		}
		b, err := os.ReadFile(path)
		source.Write(b)
		return err
	}))
	names := regexp.MustCompile("`(Test[A-Za-z0-9]+)(?:/([^`]+))?`").FindAllStringSubmatch(string(table), -1)
	if len(names) < 100 {
		t.Fatalf("only %d tests are named", len(names))
	}
	for _, n := range names {
		if n[1] == t.Name() {
			continue
		}
		if !strings.Contains(source.String(), "func "+n[1]+"(t *testing.T)") {
			t.Errorf("no test %s", n[1])
		}
		if n[2] != "" && !strings.Contains(source.String(), `"`+n[2]+`"`) {
			t.Errorf("%s has no case %q", n[1], n[2])
		}
	}
	for _, section := range []string{"3.2", "3.3", "3.5", "4.1", "4.2.1", "4.2.2", "4.2.3", "4.2.4", "4.3.1", "4.3.2", "4.3.3", "4.3.4", "4.4", "5.1", "5.2", "5.3"} {
		if !strings.Contains(string(table), section) {
			t.Errorf("section %s is missing", section)
		}
	}
}
