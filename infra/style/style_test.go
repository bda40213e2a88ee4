package style

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// once reads the tree once for all tests, which change nothing.
var once = sync.OnceValues(func() (*Tree, error) { return Load("../..") })

func load(t *testing.T) *Tree {
	t.Helper()
	tree, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestEveryModuleIsInTheWorkspaceInOrder(t *testing.T) {
	tree := load(t)
	for _, m := range tree.Modules {
		if !slices.Contains(tree.Used, m) {
			t.Errorf("%s/go.mod: add ./%s to go.work", m, m)
		}
	}
	if !slices.IsSorted(tree.Used) {
		t.Error("go.work: sort the modules; it is the table of contents")
	}
}

// headings of the README of a module, in this order.
var headings = []string{
	"Pattern", "The contract", "One request, step by step", "Run it",
	"Parameters and metrics", "What happens when …", "Proof", "Differs from the book, because …",
}

func TestEveryModuleHasTheSameReadme(t *testing.T) {
	tree := load(t)
	for _, m := range tree.Modules {
		text, err := os.ReadFile(filepath.Join(tree.Root, m, "README.md"))
		if err != nil {
			t.Errorf("%s: a module needs a README.md", m)
			continue
		}
		if isPattern(m) {
			checkHeadings(t, m, string(text))
		}
	}
}

func checkHeadings(t *testing.T, module, text string) {
	t.Helper()
	var got []string
	for _, line := range strings.Split(text, "\n") {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			got = append(got, strings.TrimSpace(h))
		}
	}
	if !slices.Equal(got, headings) {
		t.Errorf("%s/README.md has the headings %q, want %q", module, got, headings)
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	tree := load(t)
	for dir, p := range tree.Packages {
		var with []string
		code := false
		for name, f := range p.Files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			code = true
			if f.Doc != nil && !strings.HasPrefix(f.Doc.Text(), "Code generated") {
				with = append(with, filepath.Base(name))
			}
		}
		if code && len(with) != 1 {
			t.Errorf("%s: want one package comment, found %d: %v", dir, len(with), with)
		}
	}
}

var forbidden = []string{"common", "util", "utils", "helper", "helpers", "base", "misc", "shared", "lib"}

func TestPackagesAreNamedForWhatTheyProvide(t *testing.T) {
	tree := load(t)
	for dir, p := range tree.Packages {
		for _, f := range p.Files {
			if slices.Contains(forbidden, f.Name.Name) {
				t.Errorf("%s: package %s tells nothing; name it for what it provides", dir, f.Name.Name)
			}
		}
	}
}

func TestNoFunctionIsOverAHundredLines(t *testing.T) {
	tree := load(t)
	each(tree, func(name string, fn *ast.FuncDecl) {
		lines := tree.Set.Position(fn.End()).Line - tree.Set.Position(fn.Pos()).Line + 1
		if lines > 100 && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s: %s has %d lines, want at most 100", name, fn.Name.Name, lines)
		}
	})
}

func TestNoInit(t *testing.T) {
	tree := load(t)
	each(tree, func(name string, fn *ast.FuncDecl) {
		if fn.Recv == nil && fn.Name.Name == "init" {
			t.Errorf("%s: no init; a constructor can be tested", name)
		}
	})
}

// A sleep in a loop looks at a condition again or keeps a pace. Anywhere else it
// hopes that something has happened, unless its line says what time it stands for.
func TestNoTestSleepsToSynchronise(t *testing.T) {
	tree := load(t)
	for _, p := range tree.Packages {
		for name, f := range p.Files {
			if !strings.HasSuffix(name, "_test.go") || virtual(f) {
				continue
			}
			explained := map[int]bool{}
			for _, group := range f.Comments {
				explained[tree.Set.Position(group.Pos()).Line] = true
			}
			for _, at := range sleeps(f) {
				if pos := tree.Set.Position(at); !explained[pos.Line] {
					t.Errorf("%s: time.Sleep in a test: synchronise instead", pos)
				}
			}
		}
	}
}

// virtual tells that a file's tests run on the clock of testing/synctest, which
// waits for nobody.
func virtual(f *ast.File) bool {
	return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
}

// sleeps finds the calls of time.Sleep outside of loops.
func sleeps(f *ast.File) []token.Pos {
	var found []token.Pos
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			return false
		case *ast.SelectorExpr:
			if id, ok := n.X.(*ast.Ident); ok && id.Name == "time" && n.Sel.Name == "Sleep" {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

func each(tree *Tree, visit func(name string, fn *ast.FuncDecl)) {
	for _, p := range tree.Packages {
		for name, f := range p.Files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					visit(name, fn)
				}
			}
		}
	}
}

// prefix is that of all module paths of the tree.
const prefix = "github.com/flotilla-dev/flotilla/"

func TestServicesMeetOnTheNetworkOnly(t *testing.T) {
	tree := load(t)
	for dir, p := range tree.Packages {
		own := moduleOf(tree, dir)
		for name, f := range p.Files {
			for _, imp := range f.Imports {
				path, ours := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), prefix)
				if !ours {
					continue
				}
				other := moduleOf(tree, path)
				if other != own && other != "internal" && !allowed[[2]string{own, other}] {
					t.Errorf("%s imports %s: modules share internal only", name, path)
				}
			}
		}
	}
}

// allowed are the imports between modules that are no services.
var allowed = map[[2]string]bool{
	{"infra/local", "infra/pki"}: true,
}

func moduleOf(tree *Tree, dir string) string {
	best := ""
	for _, m := range tree.Modules {
		if (dir == m || strings.HasPrefix(dir, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

// private are words that mean nothing to somebody who cloned the tree.
var private = regexp.MustCompile(`(?i)proxy\.golang\.org|registry\.npmjs|deb\.debian\.org|\.\./shared/|/work/main|/work/shared|\bTODO\b|\bFIXME\b`)

func TestTheTreeSpeaksOfItselfAlone(t *testing.T) {
	tree := load(t)
	for _, name := range tree.Texts {
		if strings.HasPrefix(name, "infra/style/") || name == "LICENSE" {
			continue
		}
		info, err := os.Stat(filepath.Join(tree.Root, name))
		if err != nil || info.Size() > 1<<20 {
			continue
		}
		text, err := os.ReadFile(filepath.Join(tree.Root, name))
		if err != nil {
			t.Fatal(err)
		}
		if at := private.FindIndex(text); at != nil {
			line := 1 + strings.Count(string(text[:at[0]]), "\n")
			t.Errorf("%s:%d: %q does not belong here", name, line, text[at[0]:at[1]])
		}
	}
}
