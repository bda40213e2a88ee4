package style

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Tree is the workspace as it stands on disk.
type Tree struct {
	Root     string
	Set      *token.FileSet      // where the files' positions lead
	Modules  []string            // folders with a go.mod, relative to Root
	Used     []string            // folders that go.work uses, in its order
	Packages map[string]*Package // by folder, relative to Root
	Texts    []string            // files that people read or write
}

// Package is one folder of Go files.
type Package struct {
	Dir   string
	Files map[string]*ast.File
}

var used = regexp.MustCompile(`(?m)^\s*(?:use\s+)?\./(\S+)\s*$`)

// Load reads the tree below root. What git does not keep is left out.
func Load(root string) (*Tree, error) {
	t := &Tree{Root: root, Set: token.NewFileSet(), Packages: map[string]*Package{}}
	work, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		return nil, err
	}
	for _, m := range used.FindAllStringSubmatch(string(work), -1) {
		t.Used = append(t.Used, m[1])
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(path, root, d)
		}
		rel, _ := filepath.Rel(root, path)
		return t.add(rel)
	})
	return t, err
}

// enter skips what is made by tools or for tests.
func enter(path, root string, d fs.DirEntry) error {
	name := d.Name()
	if path != root && (name == ".git" || name == ".flotilla" || name == "bin" || name == "testdata" || name == "node_modules") {
		return fs.SkipDir
	}
	return nil
}

func (t *Tree) add(rel string) error {
	dir := filepath.Dir(rel)
	switch {
	case filepath.Base(rel) == "go.mod":
		t.Modules = append(t.Modules, dir)
	case strings.HasSuffix(rel, ".go"):
		f, err := parser.ParseFile(t.Set, filepath.Join(t.Root, rel), nil, parser.ParseComments)
		if err != nil {
			return err
		}
		if t.Packages[dir] == nil {
			t.Packages[dir] = &Package{Dir: dir, Files: map[string]*ast.File{}}
		}
		t.Packages[dir].Files[rel] = f
	}
	switch filepath.Ext(rel) {
	case ".go", ".md", ".yaml", ".yml", ".sh", ".js", ".html", "":
		t.Texts = append(t.Texts, rel)
	}
	return nil
}
