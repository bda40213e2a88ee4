package docstest

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each README below the root is executed in a scratch of its own. Those that wait for
// servers do it side by side.
func TestCommandsOfTheReadmesPrintWhatTheReadmesSay(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: the commands of the READMEs were not executed")
	}
	for _, name := range readmes(t) {
		page, _ := parse(t, name)
		t.Run(strings.TrimPrefix(filepath.Dir(name), root+"/"), func(t *testing.T) {
			t.Parallel()
			if len(page.Steps) == 0 && len(page.Left) == 0 {
				t.Error("a README says in a console block how to run what it is about")
			}
			if len(page.Steps) > 0 {
				newScratch(t, freePorts(t, page.Steps)).execute(t, name, page.Steps)
			}
			reportLeft(t, name, page.Left)
		})
	}
}

// A server that has not all it needs yet answers with a problem. Who waits for it prints
// the answer that was waited for, not each that came before.
func TestCommandsThatWaitPrintOneAnswer(t *testing.T) {
	fails := regexp.MustCompile(`curl -[a-zA-Z]*f`)
	for _, name := range append(readmes(t), documents(t)...) {
		page, _ := parse(t, name)
		for _, step := range page.Steps {
			if strings.Contains(step.Command, "--retry ") && !fails.MatchString(step.Command) {
				t.Errorf("%s:%d: curl --retry without -f prints what it does not wait for: %s", name, step.Line, step.Command)
			}
		}
	}
}

// reportLeft lists the blocks that are not executed among the skipped tests.
func reportLeft(t *testing.T, name string, left []Left) {
	t.Helper()
	for _, block := range left {
		t.Run(fmt.Sprintf("line %d", block.Line), func(t *testing.T) {
			t.Skipf("SKIPPED: the commands from %s:%d on are not executed: %s", strings.TrimPrefix(name, root+"/"), block.Line, block.Why)
		})
	}
}

// readmes finds those of modules and of folders such as infra/docker. That of the root
// shows two commands of the Makefile; those of docs are pages.
func readmes(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "docs") {
			return fs.SkipDir
		}
		if d.Name() == "README.md" && filepath.Dir(path) != root {
			names = append(names, path)
		}
		return nil
	})
	if err != nil || len(names) == 0 {
		t.Fatalf("%d READMEs: %v", len(names), err)
	}
	return names
}
