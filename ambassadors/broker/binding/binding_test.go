package binding

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// mount writes a binding as the kubelet does, or swaps it.
func mount(t *testing.T, dir, version string, entries map[string]string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, version), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, value := range entries {
		put(t, filepath.Join(dir, version, name), value)
	}
	next := filepath.Join(dir, "..data_tmp")
	if err := errors.Join(os.Symlink(version, next), os.Rename(next, filepath.Join(dir, "..data"))); err != nil {
		t.Fatal(err)
	}
	for name := range entries {
		_ = os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)) // is there
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestABindingIsReadWithoutLineEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mount(t, dir, "..2026_1", map[string]string{"type": "mysql\n", "host": "db.example\r\n", "port": "3307", "password": " with space \n"})
	e, err := Read(dir)
	if err != nil || e["type"] != "mysql" || e["host"] != "db.example" || e["password"] != " with space " || len(e) != 4 {
		t.Errorf("%v, %v", e, err)
	}
	if a, err := e.Addresses("3306"); err != nil || a != "db.example:3307" {
		t.Errorf("%q, %v", a, err)
	}
}

// Each version is whole: a reader must never see the host of one and the port of
// another, nor what is left of one that is being taken away.
func TestASwapIsNeverSeenHalf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	swap := func(i int) { // as the kubelet does
		n := strconv.Itoa(i)
		mount(t, dir, "..v"+n, map[string]string{"type": "mysql", "host": "h" + n, "port": n})
		if err := os.RemoveAll(filepath.Join(dir, "..v"+strconv.Itoa(i-1))); err != nil {
			t.Error(err)
		}
	}
	swap(0)
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for i := range 1000 {
			swap(i + 1)
		}
	}()
	t.Cleanup(func() { <-stop })
	reads := 0
	for {
		select {
		case <-stop:
			if reads == 0 {
				t.Error("nothing was read")
			}
			return
		default:
		}
		e, err := Read(dir)
		switch {
		case errors.Is(err, errSwapped):
		case err != nil || len(e) != 3 || e["host"] != "h"+e["port"]:
			t.Fatalf("half of one and half of another: %v, %v", e, err)
		default:
			reads++
		}
	}
}

func TestTheFirstBindingOfTheKindIsFound(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, kind := range map[string]string{"b-db": "MySQL", "a-cache": "redis", "c-db": "mysql", ".hidden": "mysql"} {
		mount(t, filepath.Join(root, name), "..1", map[string]string{"type": kind, "host": name})
	}
	for only, want := range map[string]string{"": "b-db", "c-db": "c-db", "a-cache": "a-cache"} {
		name, e, err := Find(root, only, "mysql", "mariadb")
		if err != nil || name != want || e["host"] != want {
			t.Errorf("%q: %q %v, %v", only, name, e, err)
		}
	}
	if _, _, err := Find(root, "none", "mysql"); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
	if _, _, err := Find(filepath.Join(root, "nowhere"), "", "mysql"); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNoBindingIsAnError(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(dir string){
		"too many": func(dir string) {
			for i := range 70 {
				put(t, filepath.Join(dir, "e"+strings.Repeat("x", i)), "")
			}
		},
		"too large": func(dir string) { put(t, filepath.Join(dir, "host"), strings.Repeat("x", 65<<10)) },
		"folder":    func(dir string) { _ = os.Mkdir(filepath.Join(dir, "host"), 0o700) },
		"dangling":  func(dir string) { _ = os.Symlink("nowhere", filepath.Join(dir, "host")) },
	} {
		dir := t.TempDir()
		make(dir)
		if e, err := Read(dir); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, ErrNone) {
		t.Errorf("empty: %v", err)
	}
}

func TestWhatIsWrittenIsReadAndReplacedWhole(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "deep", "db")
	for _, port := range []string{"1", "2"} {
		if err := Write(dir, Entries{"type": "mysql", "host": "h", "port": port}); err != nil {
			t.Fatal(err)
		}
		if e, err := Read(dir); err != nil || e["port"] != port {
			t.Errorf("%v, %v", e, err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "port")); err != nil || string(text) != port {
			t.Errorf("as a file: %q, %v", text, err)
		}
	}
	versions, _ := filepath.Glob(filepath.Join(dir, "..version-*"))
	if len(versions) != 1 {
		t.Errorf("old versions are left: %v", versions)
	}
	if info, err := os.Stat(filepath.Join(dir, "port")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := Write(dir, Entries{"../x": "y"}); err == nil {
		t.Error("an entry outside of the folder was written")
	}
}

func TestAddressesAreFoundInEveryShape(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		e    Entries
		want string
	}{
		{Entries{"host": "h", "port": "1"}, "h:1"},
		{Entries{"host": "h"}, "h:3306"},
		{Entries{"hostname": "h", "port": "1"}, "h:1"},
		{Entries{"host": "fd00::1"}, "[fd00::1]:3306"},
		{Entries{"uri": "mysql://u:p%40w@h:2/db?x=y"}, "h:2"},
		{Entries{"uri": "mysql://u:p@[::1]/db"}, "[::1]:3306"},
		{Entries{"host": "h", "uri": "mysql://other:2/"}, "h:3306"},
	} {
		if got, err := c.e.Addresses("3306"); err != nil || got != c.want {
			t.Errorf("%v: %q, %v, want %q", c.e, got, err, c.want)
		}
	}
	for _, e := range []Entries{{}, {"uri": "mysql://u:s3cret@/db"}, {"uri": "mysql://u:s3cret@h:x:y%zz"}, {"port": "1"}} {
		if got, err := e.Addresses("3306"); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v: %q, %v", e, got, err)
		}
	}
}

// Whatever lies in the folder, reading it ends, and what comes out is an address
// or an error without a secret.
func FuzzBinding(f *testing.F) {
	f.Add("mysql", "h", "3306", "")
	f.Add("mysql", "", "", "mysql://u:s3cret@h:1/db")
	f.Add("x\x00", "h\n\n", "65536", "://")
	f.Fuzz(func(t *testing.T, kind, host, port, uri string) {
		e := Entries{"type": kind, "host": host, "port": port, "uri": uri}
		got, err := e.Addresses("3306")
		if err != nil && uri != "" && len(uri) > 12 && strings.Contains(err.Error(), uri) {
			t.Errorf("the error tells the uri: %v", err)
		}
		if err == nil && got == "" {
			t.Error("no address and no error")
		}
	})
}
