package tree_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/flotilla-dev/flotilla/sidecars/gitsync/tree"
)

// repo is objects in memory, which may be as wrong as a test wants.
type repo struct {
	t *testing.T
	*memory.Storage
}

func (r repo) object(kind plumbing.ObjectType, text string) plumbing.Hash {
	r.t.Helper()
	o := r.NewEncodedObject()
	o.SetType(kind)
	w, err := o.Writer()
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	hash, err := r.SetEncodedObject(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return hash
}

func (r repo) blob(text string) plumbing.Hash { return r.object(plumbing.BlobObject, text) }

// entry is a line of a tree.
func entry(mode, name string, hash plumbing.Hash) string {
	return mode + " " + name + "\x00" + string(hash[:])
}

func (r repo) tree(entries ...string) plumbing.Hash {
	return r.object(plumbing.TreeObject, strings.Join(entries, ""))
}

func (r repo) commit(top plumbing.Hash) plumbing.Hash {
	return r.object(plumbing.CommitObject, fmt.Sprintf("tree %s\nauthor a <a@b> 0 +0000\n\nmessage\n", top))
}

func newRepo(t *testing.T) repo { return repo{t, memory.NewStorage()} }

var wide = tree.Options{MaxFiles: 1000, MaxBytes: 1 << 20}

func (r repo) write(top plumbing.Hash, o tree.Options) (dir string, size tree.Size, err error) {
	dir = filepath.Join(r.t.TempDir(), "root")
	if err := os.Mkdir(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	size, err = tree.Write(r.t.Context(), r, r.commit(top), dir, o)
	return dir, size, err
}

func TestWhatLeadsOutOfTheTreeIsRefused(t *testing.T) {
	r := newRepo(t)
	file := r.blob("content")
	link := func(target string) plumbing.Hash { return r.blob(target) }
	deep := r.tree(entry("40000", "b", r.tree(entry("120000", "l", link("../../top")), entry("120000", "m", link("l/../../outside")))))
	for name, c := range map[string]struct {
		top  plumbing.Hash
		want string
	}{
		"parent":              {r.tree(entry("100644", "..", file)), "the name .."},
		"parent folder":       {r.tree(entry("40000", "..", r.tree(entry("100644", "x", file)))), "the name .."},
		"self":                {r.tree(entry("100644", ".", file)), "the name ."},
		"separator":           {r.tree(entry("100644", "a/../../x", file)), "separator"},
		"backslash":           {r.tree(entry("100644", `a\..\x`, file)), "separator"},
		"absolute":            {r.tree(entry("100644", "/etc/passwd", file)), "separator"},
		"control":             {r.tree(entry("100644", "a\nb", file)), "control"},
		"no UTF-8":            {r.tree(entry("100644", "a\xff", file)), "UTF-8"},
		"git":                 {r.tree(entry("40000", ".git", r.tree(entry("100644", "config", file)))), "git's own"},
		"git, in capitals":    {r.tree(entry("100644", ".GiT", file)), "git's own"},
		"git, with a dot":     {r.tree(entry("100644", ".git. ", file)), "git's own"},
		"git, short":          {r.tree(entry("100644", "GIT~1", file)), "git's own"},
		"git, unseen":         {r.tree(entry("100644", ".g\u200cit", file)), "git's own"},
		"git, stream":         {r.tree(entry("100644", ".git::$INDEX_ALLOCATION", file)), "git's own"},
		"long name":           {r.tree(entry("100644", strings.Repeat("n", 256), file)), "255 bytes"},
		"link up":             {r.tree(entry("120000", "l", link("../x"))), "leads out"},
		"link up by a folder": {r.tree(entry("120000", "l", link("a/../../x"))), "leads out"},
		"absolute link":       {r.tree(entry("120000", "l", link("/etc/passwd"))), "absolute"},
		"empty link":          {r.tree(entry("120000", "l", link(""))), "nowhere"},
		"link with NUL":       {r.tree(entry("120000", "l", link("a\x00b"))), "nowhere"},
		"link to git":         {r.tree(entry("120000", "l", link("a/.git/config"))), "git's own"},
		"long link":           {r.tree(entry("120000", "l", link(strings.Repeat("a/", 3000)))), "4096 bytes"},
		"circle":              {r.tree(entry("120000", "a", link("b")), entry("120000", "b", link("a"))), "circle"},
		"link over a link":    {r.tree(entry("40000", "a", deep), entry("40000", "top", r.tree(entry("100644", "x", file)))), "leads out"},
		"link, then folder":   {r.tree(entry("120000", "a", link("b")), entry("40000", "a", r.tree(entry("100644", "x", file)))), "twice"},
		"folder, then link":   {r.tree(entry("40000", "a", r.tree(entry("100644", "x", file))), entry("120000", "a", link("b"))), "twice"},
		"file twice":          {r.tree(entry("100644", "a", file), entry("100644", "a", file)), "twice"},
		"submodule":           {r.tree(entry("160000", "sub", file)), "submodule"},
		"mode of nothing":     {r.tree(entry("10", "a", file)), "kind"},
		"malformed":           {r.object(plumbing.TreeObject, "100644 a\x00short"), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := repo{t, r.Storage}
			dir, _, err := r.write(c.top, wide)
			var refusal *tree.Refusal
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want a refusal with %q", err, c.want)
			}
			beside, err := os.ReadDir(filepath.Dir(dir))
			if err != nil || len(beside) != 1 {
				t.Errorf("something was written beside the tree: %v %v", beside, err)
			}
		})
	}
}

func TestOverABoundIsRefusedByItsName(t *testing.T) {
	r := newRepo(t)
	file := r.blob("0123456789")
	two := r.tree(entry("100644", "a", file), entry("100644", "b", file))
	// Each folder holds the one below twice: 2^20 files out of twenty objects.
	bomb := two
	for range 19 {
		bomb = r.tree(entry("40000", "a", bomb), entry("40000", "b", bomb))
	}
	well := two
	for range 70 {
		well = r.tree(entry("40000", "a", well))
	}
	for want, c := range map[string]struct {
		top plumbing.Hash
		o   tree.Options
	}{
		"GITSYNC_MAX_BYTES (19B)": {two, tree.Options{MaxFiles: 10, MaxBytes: 19}},
		"GITSYNC_MAX_FILES (1)":   {two, tree.Options{MaxFiles: 1, MaxBytes: 100}},
		"GITSYNC_MAX_FILES (50)":  {bomb, tree.Options{MaxFiles: 50, MaxBytes: 1 << 20}},
		"64 folders":              {well, wide},
		"which GITSYNC_PATHS":     {two, tree.Options{Paths: []string{"c"}, MaxFiles: 10, MaxBytes: 100}},
	} {
		if _, _, err := r.write(c.top, c.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, size, err := r.write(two, tree.Options{MaxFiles: 2, MaxBytes: 20}); err != nil || size != (tree.Size{Files: 2, Bytes: 20}) {
		t.Errorf("exactly at the bounds: %+v, %v", size, err)
	}
}

func TestATreeIsWrittenAsItIs(t *testing.T) {
	r := newRepo(t)
	dir, size, err := r.write(r.tree(
		entry("100755", "run", r.blob("#!")), entry("120000", "to", r.blob("d/x")), entry("120000", "dangling", r.blob("d/none")),
		entry("40000", "d", r.tree(entry("100644", "x", r.blob("inside"))))), wide)
	if err != nil || size != (tree.Size{Files: 5, Bytes: 8}) {
		t.Fatalf("%+v, %v", size, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "to")); err != nil || string(text) != "inside" {
		t.Errorf("through the link: %q, %v", text, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "run")); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("an executable: %v, %v", info, err)
	}
}

func TestOnlyWhatIsSelectedIsWritten(t *testing.T) {
	r := newRepo(t)
	x := r.blob("x")
	top := r.tree(entry("100644", "README", x), entry("160000", "sub", x),
		entry("40000", "docs", r.tree(entry("40000", "en", r.tree(entry("100644", "page", x))), entry("40000", "english", r.tree(entry("100644", "page", x))))))
	dir, _, err := r.write(top, tree.Options{Paths: []string{"docs/en"}, MaxFiles: 3, MaxBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	_ = filepath.WalkDir(dir, func(p string, _ fs.DirEntry, _ error) error {
		found = append(found, strings.TrimPrefix(p, dir))
		return nil
	})
	if got := strings.Join(found, " "); got != " /docs /docs/en /docs/en/page" {
		t.Errorf("%q", got)
	}
}

// Whatever a tree holds: it is written inside of its directory, or refused.
func FuzzNothingIsWrittenOutside(f *testing.F) {
	f.Add([]byte("100644 a\x00........20 bytes......"), "../x")
	f.Add([]byte("120000 l\x00HHHHHHHHHHHHHHHHHHHH40000 l\x00HHHHHHHHHHHHHHHHHHHH"), "l/../..")
	f.Add([]byte("40000 ..\x00HHHHHHHHHHHHHHHHHHHH"), "x")
	f.Fuzz(func(t *testing.T, listing []byte, content string) {
		r := newRepo(t)
		blob := r.blob(content)
		inner := r.tree(entry("120000", "link", blob), entry("100644", "file", blob))
		// Where the listing says H…, it means something that is there.
		listing = bytes.ReplaceAll(listing, bytes.Repeat([]byte("H"), 20), blob[:])
		listing = bytes.ReplaceAll(listing, bytes.Repeat([]byte("I"), 20), inner[:])
		dir, _, err := r.write(r.object(plumbing.TreeObject, string(listing)), tree.Options{MaxFiles: 20, MaxBytes: 1 << 12})
		beside, _ := os.ReadDir(filepath.Dir(dir))
		if len(beside) != 1 {
			t.Fatalf("%s: written beside the tree: %v", hex.EncodeToString(listing), beside)
		}
		if err != nil {
			return
		}
		_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, _ error) error {
			if d.Type() != fs.ModeSymlink {
				return nil
			}
			to, err := filepath.EvalSymlinks(p)
			if err == nil && to != dir && !strings.HasPrefix(to, dir+"/") {
				t.Fatalf("%s leads to %s", p, to)
			}
			return nil
		})
	})
}

func FuzzPathsThatAreTakenAreLocal(f *testing.F) {
	for _, seed := range []string{"docs/pages", "../x", ".git/config", "a//b", "/etc", "a/.GIT", "con"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if tree.CheckPath(p) != nil {
			return
		}
		if !filepath.IsLocal(p) || filepath.Clean(p) != p || strings.Contains(strings.ToLower(p)+"/", ".git/") && strings.HasPrefix(strings.ToLower(p), ".git/") {
			t.Errorf("%q is taken", p)
		}
	})
}
