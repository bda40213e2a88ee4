// Package binding reads and writes service bindings in the layout of
// servicebinding.io: a folder per binding, a file per entry.
//
//	$SERVICE_BINDING_ROOT/db/type      mysql
//	$SERVICE_BINDING_ROOT/db/host      db.example
//	$SERVICE_BINDING_ROOT/db/port      3306
//	$SERVICE_BINDING_ROOT/db/username  …
//
// Kubernetes mounts a Secret or a ConfigMap so, and replaces all files at once:
// they are links into a folder ..data, itself a link that is swapped. A binding is
// read out of the one folder that ..data leads to at the time, never half from
// the old one and half from the new one.
package binding

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of a binding.
const (
	maxEntries  = 64
	maxEntry    = 64 << 10 // bytes
	maxBindings = 256      // below one root
)

// Entries are the entries of a binding by name. Their values are secrets.
type Entries map[string]string

// ErrNone means that there is no such binding.
var ErrNone = errors.New("there is no such binding")

// Find returns the binding called name below root; without a name, the first by
// name whose entry type is one of kinds.
func Find(root, name string, kinds ...string) (found string, e Entries, err error) {
	if name != "" {
		e, err = Read(filepath.Join(root, name))
		return name, e, err
	}
	all, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, ErrNone
	}
	if err != nil {
		return "", nil, fmt.Errorf("list bindings: %w", err)
	}
	if len(all) > maxBindings {
		return "", nil, fmt.Errorf("list bindings: more than %d", maxBindings)
	}
	for _, d := range all {
		if strings.HasPrefix(d.Name(), ".") {
			continue
		}
		e, err := Read(filepath.Join(root, d.Name()))
		if err == nil && slices.Contains(kinds, strings.ToLower(e["type"])) {
			return d.Name(), e, nil
		}
	}
	return "", nil, ErrNone
}

// swaps bounds how often a binding that is swapped meanwhile is read again.
const swaps = 10

var errSwapped = errors.New("read binding: it is swapped all the time")

// Read reads the binding in a folder. One that is swapped meanwhile is read again, for
// the files of the old one are taken away one by one.
func Read(dir string) (Entries, error) {
	for range swaps {
		before, err := os.Readlink(filepath.Join(dir, "..data"))
		if err != nil { // a plain folder, or none
			return read(dir)
		}
		version := before
		if !filepath.IsAbs(version) {
			version = filepath.Join(dir, version)
		}
		e, err := read(version)
		if after, gone := os.Readlink(filepath.Join(dir, "..data")); gone == nil && after == before {
			return e, err
		}
	}
	return nil, errSwapped
}

func read(dir string) (Entries, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read binding: %w", err)
	}
	e := Entries{}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), ".") {
			continue
		}
		if len(e) == maxEntries {
			return nil, fmt.Errorf("read binding: more than %d entries", maxEntries)
		}
		if e[f.Name()], err = entry(filepath.Join(dir, f.Name())); err != nil {
			return nil, fmt.Errorf("read binding: entry %q: %w", f.Name(), err)
		}
	}
	if len(e) == 0 {
		return nil, ErrNone
	}
	return e, nil
}

// entry reads a file. A line's end after the value is not part of it.
func entry(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is no file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxEntry+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxEntry {
		return "", fmt.Errorf("it is larger than %d bytes", maxEntry)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// Write puts a binding into a folder that appears with all its entries, or
// replaces one that is there. Only the owner can read it.
func Write(dir string, e Entries) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write binding: %w", err)
	}
	version, err := os.MkdirTemp(dir, "..version-")
	if err != nil {
		return fmt.Errorf("write binding: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if !plain(name) {
			return errors.Join(fmt.Errorf("write binding: %q is no name of an entry", name), os.RemoveAll(version))
		}
		if err := os.WriteFile(filepath.Join(version, name), []byte(e[name]), 0o600); err != nil {
			return errors.Join(fmt.Errorf("write binding: %w", err), os.RemoveAll(version))
		}
	}
	return publish(dir, filepath.Base(version), e)
}

// publish swaps ..data and links the entries, as the kubelet does.
func publish(dir, version string, e Entries) error {
	old, _ := os.Readlink(filepath.Join(dir, "..data")) // none, the first time
	next := filepath.Join(dir, "..data_next")
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write binding: %w", err)
	}
	if err := os.Symlink(version, next); err != nil {
		return fmt.Errorf("write binding: %w", err)
	}
	if err := os.Rename(next, filepath.Join(dir, "..data")); err != nil {
		return fmt.Errorf("write binding: %w", err)
	}
	for name := range e {
		err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("write binding: %w", err)
		}
	}
	if old != "" && filepath.Base(old) == old {
		return os.RemoveAll(filepath.Join(dir, old))
	}
	return nil
}

// Fits tells whether an entry can be written: its name must be that of a file in
// the folder, and its value within bounds.
func Fits(name, value string) bool { return plain(name) && len(value) <= maxEntry }

func plain(name string) bool {
	return name != "" && len(name) <= 253 && !strings.HasPrefix(name, ".") && !strings.ContainsAny(name, "/\\\x00")
}
