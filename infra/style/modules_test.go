package style

import (
	"go/ast"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// patternFolders are the folders whose modules are patterns of the book, in the
// book's order.
var patternFolders = []string{"sidecars", "ambassadors", "adapters", "services", "batch"}

// isPattern tells a module of a pattern from those around them.
func isPattern(module string) bool {
	return slices.Contains(patternFolders, filepath.Dir(module))
}

func patterns(tree *Tree) []string {
	return slices.DeleteFunc(slices.Clone(tree.Modules), func(m string) bool { return !isPattern(m) })
}

func TestEveryModuleStandsWhereTheBookLooksForIt(t *testing.T) {
	tree := load(t)
	for _, m := range tree.Modules {
		around := m == "internal" || m == "loadtest" || strings.HasPrefix(m, "infra/")
		if !around && !isPattern(m) {
			t.Errorf("%s: a module of a pattern stands in one of %v", m, patternFolders)
		}
	}
}

var (
	modulePath = regexp.MustCompile(`(?m)^module (\S+)$`)
	sibling    = regexp.MustCompile(`(?m)^(?:require)?\s*` + regexp.QuoteMeta(prefix) + `(\S+) v`)
)

// Siblings are found in the tree, so that a module also builds without the workspace.
func TestEveryModulePathIsItsFolder(t *testing.T) {
	tree := load(t)
	for _, m := range tree.Modules {
		text, err := os.ReadFile(filepath.Join(tree.Root, m, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if found := modulePath.FindSubmatch(text); found == nil || string(found[1]) != prefix+m {
			t.Errorf("%s/go.mod: want module %s%s", m, prefix, m)
		}
		for _, required := range sibling.FindAllSubmatch(text, -1) {
			path, err := filepath.Rel(m, string(required[1]))
			if want := prefix + string(required[1]) + " => " + path; err != nil || !strings.Contains(string(text), want+"\n") {
				t.Errorf("%s/go.mod: want replace %s", m, want)
			}
		}
	}
}

// A program is a library that others run in their tests, and a command of one call.
func TestEveryPatternIsALibraryAndACommand(t *testing.T) {
	tree := load(t)
	for _, m := range patterns(tree) {
		for _, name := range []string{"Program", "Config", "Run"} {
			if declared(tree.Packages[m], name) == nil {
				t.Errorf("%s: the package does not declare %s", m, name)
			}
		}
		if config, ok := declared(tree.Packages[m], "Config").(*ast.TypeSpec); ok {
			checkConfig(t, m, config)
		}
		command := filepath.Join(m, "cmd", filepath.Base(m))
		if main, ok := declared(tree.Packages[command], "main").(*ast.FuncDecl); !ok || !callsMain(main) {
			t.Errorf("%s: want a main that is one call of process.Main", command)
		}
	}
}

// declared finds what a package declares under a name at its top level.
func declared(p *Package, name string) ast.Node {
	if p == nil {
		return nil
	}
	var found ast.Node
	for _, f := range p.Files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == name {
				return fn
			}
			general, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.Name == name {
						found = spec
					}
				case *ast.ValueSpec:
					if slices.ContainsFunc(spec.Names, func(id *ast.Ident) bool { return id.Name == name }) {
						found = spec
					}
				}
			}
		}
	}
	return found
}

// checkConfig: the process contract is embedded, and every field of its own is a
// variable that is described, or says that it is none.
func checkConfig(t *testing.T, module string, config *ast.TypeSpec) {
	t.Helper()
	fields, ok := config.Type.(*ast.StructType)
	if !ok {
		t.Errorf("%s: Config is no struct", module)
		return
	}
	contract := false
	for _, f := range fields.Fields.List {
		if len(f.Names) == 0 {
			contract = contract || selects(f.Type, "process", "Contract")
			continue
		}
		tag := reflect.StructTag("")
		if f.Tag != nil {
			tag = reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
		}
		nested := tag.Get("envPrefix") != ""
		if !nested && tag.Get("env") != "-" && (tag.Get("env") == "" || tag.Get("doc") == "") {
			t.Errorf("%s: Config.%s has no env and doc tags", module, f.Names[0])
		}
	}
	if !contract {
		t.Errorf("%s: Config does not embed process.Contract", module)
	}
}

func callsMain(main *ast.FuncDecl) bool {
	if len(main.Body.List) != 1 {
		return false
	}
	statement, ok := main.Body.List[0].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := statement.X.(*ast.CallExpr)
	return ok && selects(call.Fun, "process", "Main")
}

// selects tells whether an expression is pkg.name.
func selects(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	id, ok := s.X.(*ast.Ident)
	return ok && id.Name == pkg && s.Sel.Name == name
}

// An API that is not described is one that only its author can use.
func TestEveryAPIIsDescribedAndCompared(t *testing.T) {
	tree := load(t)
	for _, m := range patterns(tree) {
		p := tree.Packages[m]
		if p == nil || !imports(p, "internal/api", false) {
			continue
		}
		if _, err := os.Stat(filepath.Join(tree.Root, m, "openapi.yaml")); err != nil {
			t.Errorf("%s serves an API and has no openapi.yaml", m)
		}
		if !imports(p, "internal/openapi", true) {
			t.Errorf("%s: no test compares openapi.yaml with the routes (openapi.Diff)", m)
		}
	}
}

// imports tells whether a package, or its tests, import one of ours.
func imports(p *Package, path string, tests bool) bool {
	for name, f := range p.Files {
		if strings.HasSuffix(name, "_test.go") != tests {
			continue
		}
		if slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"`+prefix+path+`"` }) {
			return true
		}
	}
	return false
}
