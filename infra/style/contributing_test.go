package style

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// CONTRIBUTING.md promises that each step of "Add a module" is held by a test. A step
// says which: (held by `TestA`, `TestB` in `folder`; `TestC` in `other`).
func TestEveryStepOfContributingIsHeldByTestsThatExist(t *testing.T) {
	tree := load(t)
	steps := contributingSteps(t, tree)
	for i, step := range steps {
		holders, err := heldBy(step)
		if err != nil {
			t.Errorf("CONTRIBUTING.md, step %d: %v", i+1, err)
		}
		for _, h := range holders {
			if declared(tree.Packages[h.folder], h.test) == nil {
				t.Errorf("CONTRIBUTING.md, step %d: there is no %s in %s", i+1, h.test, h.folder)
			}
		}
	}
}

// What a step names is there: from the root of the tree, or in a module, whose name
// <name> stands for.
func TestEveryPlaceThatContributingNamesExists(t *testing.T) {
	tree := load(t)
	steps := contributingSteps(t, tree)
	for i, step := range steps {
		step, _, _ = strings.Cut(step, "(held by")
		for _, m := range backticked.FindAllStringSubmatch(step, -1) {
			if isPlace(m[1]) && !exists(tree, m[1]) {
				t.Errorf("CONTRIBUTING.md, step %d: there is no %s, neither at the root nor in a module", i+1, m[1])
			}
		}
	}
	for _, folder := range patternFolders {
		if !strings.Contains(steps[0], "`"+folder+"`") {
			t.Errorf("CONTRIBUTING.md, step 1 does not name the folder %s", folder)
		}
	}
}

// contributingSteps are the numbered steps of "Add a module".
func contributingSteps(t *testing.T, tree *Tree) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tree.Root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Add a module\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var steps []string
	for line := range strings.Lines(section) {
		switch {
		case strings.HasPrefix(line, fmt.Sprintf("%d. ", len(steps)+1)):
			steps = append(steps, line)
		case strings.HasPrefix(line, "   ") && len(steps) > 0:
			steps[len(steps)-1] += line
		}
	}
	if !found || len(steps) == 0 {
		t.Fatal("CONTRIBUTING.md has no numbered steps under Add a module")
	}
	return steps
}

type holder struct{ test, folder string }

var (
	backticked = regexp.MustCompile("`([^`]+)`")
	heldClause = regexp.MustCompile(`(?s)\(held by ([^)]*)\)`)
	heldIn     = regexp.MustCompile("^((?:`Test[A-Za-z0-9]+`,?\\s+)+)in\\s+`([a-z0-9/]+)`$")
)

// heldBy reads the clause of a step.
func heldBy(step string) ([]holder, error) {
	clause := heldClause.FindStringSubmatch(step)
	if clause == nil {
		return nil, fmt.Errorf("want (held by `TestX` in `folder`), found none in %q", step)
	}
	var all []holder
	for part := range strings.SplitSeq(clause[1], ";") {
		m := heldIn.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, fmt.Errorf("want `TestA`, `TestB` in `folder`; …, found %q", part)
		}
		for _, test := range backticked.FindAllStringSubmatch(m[1], -1) {
			all = append(all, holder{test[1], m[2]})
		}
	}
	return all, nil
}

// isPlace tells a path or a file from Go and from commands.
func isPlace(word string) bool {
	if strings.ContainsAny(word, " (") {
		return false
	}
	return strings.Contains(word, "/") || slices.Contains([]string{".go", ".md", ".yaml", ".yml", ".mod", ".work"}, filepath.Ext(word))
}

func exists(tree *Tree, place string) bool {
	if _, err := os.Stat(filepath.Join(tree.Root, place)); err == nil {
		return true
	}
	return slices.ContainsFunc(patterns(tree), func(m string) bool {
		_, err := os.Stat(filepath.Join(tree.Root, m, strings.ReplaceAll(place, "<name>", filepath.Base(m))))
		return err == nil
	})
}

func TestAStepThatNamesNoTestIsFound(t *testing.T) {
	got, err := heldBy("1. Do it (held by `TestA`,\n   `TestB` in `infra/style`; `TestC` in `internal/ports`).")
	want := []holder{{"TestA", "infra/style"}, {"TestB", "infra/style"}, {"TestC", "internal/ports"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, step := range []string{"1. Do it.", "1. Do it (held by a test).", "1. Do it (held by `TestA`).", "1. Do it (held by `TestA` in `infra/style` `TestB`)."} {
		if got, err := heldBy(step); err == nil {
			t.Errorf("%q: %v", step, got)
		}
	}
}
