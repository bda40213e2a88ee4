package docstest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every type of problem is a heading of docs/problems.md, which is where its URI leads;
// and nothing is explained there that no program says.
func TestEveryProblemIsExplained(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "problems.md"))
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			explained[name] = true
		}
	}
	said := problems(t)
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if !explained[name] {
			t.Errorf("docs/problems.md does not explain %s, said in %s", name, said[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(explained)) {
		if said[name] == "" {
			t.Errorf("docs/problems.md explains %s, which no program says", name)
		}
	}
}

// problems finds the names that sources give to problem.New: written there, passed
// through a function that hands its parameter on, or kept in a literal {status, name, …}.
func problems(t *testing.T) map[string]string {
	t.Helper()
	said := map[string]string{}
	set := token.NewFileSet()
	byDir := map[string][]*ast.File{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata" || d.Name() == "loadtest") && path != root {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		byDir[filepath.Dir(path)] = append(byDir[filepath.Dir(path)], file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	add := func(e ast.Expr) {
		if name, ok := kebab(e); ok {
			said[name] = set.Position(e.Pos()).String()
		}
	}
	for _, files := range byDir {
		wrappers := map[string]int{} // function → the parameter that becomes the name
		for _, f := range files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					findWrapper(fn, wrappers)
				}
			}
		}
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					if isNew(n) && len(n.Args) == 3 {
						add(n.Args[1])
					}
					if id, ok := n.Fun.(*ast.Ident); ok {
						if i, ok := wrappers[id.Name]; ok && i < len(n.Args) {
							add(n.Args[i])
						}
					}
				case *ast.CompositeLit:
					if len(n.Elts) >= 2 && isStatus(n.Elts[0]) {
						add(n.Elts[1])
					}
				}
				return true
			})
		}
	}
	return said
}

var kebabName = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

func kebab(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	name, err := strconv.Unquote(lit.Value)
	return name, err == nil && kebabName.MatchString(name)
}

func isNew(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "New" {
		return false
	}
	id, ok := sel.X.(*ast.Ident)
	return ok && id.Name == "problem"
}

// isStatus finds http.StatusX.
func isStatus(e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	return ok && strings.HasPrefix(sel.Sel.Name, "Status")
}

// findWrapper notes a function that hands one of its parameters to problem.New.
func findWrapper(fn *ast.FuncDecl, wrappers map[string]int) {
	position := map[string]int{}
	i := 0
	for _, field := range fn.Type.Params.List {
		for _, name := range field.Names {
			position[name.Name] = i
			i++
		}
	}
	if fn.Body == nil {
		return
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && isNew(call) && len(call.Args) == 3 {
			if id, ok := call.Args[1].(*ast.Ident); ok {
				if at, ok := position[id.Name]; ok {
					wrappers[fn.Name.Name] = at
				}
			}
		}
		return true
	})
}
