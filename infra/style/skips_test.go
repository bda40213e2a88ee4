package style

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// A test that was skipped has shown nothing, and the list at the end of `make test`
// says so: each reason says what was not checked, or what is missing.
func TestEverySkipSaysWhy(t *testing.T) {
	tree := load(t)
	for _, p := range tree.Packages {
		for _, f := range p.Files {
			for _, at := range silentSkips(f) {
				t.Errorf(`%s: a skip without a literal reason that begins with "SKIPPED: "`, tree.Set.Position(at))
			}
		}
	}
}

// silentSkips finds calls of Skip, Skipf and SkipNow whose first argument is no such
// literal. Methods of these names are those of testing alone in this tree.
func silentSkips(f *ast.File) []token.Pos {
	var found []token.Pos
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch method.Sel.Name {
		case "Skip", "Skipf", "SkipNow":
			if len(call.Args) == 0 || !saysSkipped(call.Args[0]) {
				found = append(found, call.Pos())
			}
		}
		return true
	})
	return found
}

func saysSkipped(e ast.Expr) bool {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return false
	}
	reason, err := strconv.Unquote(literal.Value)
	why, ok := strings.CutPrefix(reason, "SKIPPED: ")
	return err == nil && ok && why != ""
}

func TestASkipWithoutAReasonIsFound(t *testing.T) {
	for call, silent := range map[string]bool{
		`t.Skip("SKIPPED: nginx is not installed")`: false,
		"b.Skipf(`SKIPPED: %v`, err)":               false,
		`t.Skip("nginx is not installed")`:          true,
		`t.Skip("SKIPPED: ")`:                       true,
		`t.Skip(reason)`:                            true,
		`t.Skip("SKIPPED: " + reason)`:              true,
		`t.SkipNow()`:                               true,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc f() { "+call+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		if found := len(silentSkips(f)) > 0; found != silent {
			t.Errorf("%s: found %t, want %t", call, found, silent)
		}
	}
}
