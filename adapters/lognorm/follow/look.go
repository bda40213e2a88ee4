package follow

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// candidate is a file that a look has found: one that a pattern matches, or a
// generation of such a one.
type candidate struct {
	path    string
	entry   fs.DirEntry
	info    fs.FileInfo
	current bool // a pattern matches its name
}

// maxEntries bounds the generations in one directory that are begun to be followed.
const maxEntries = 10_000

// Look finds new, renamed and removed files.
func (s *Set) Look(now time.Time) {
	seen := map[Identity]bool{}
	var strangers []candidate
	s.waiting = 0
	s.looks++
	for _, c := range s.candidates() {
		id := identityOf(c.info, c.path)
		f := s.known[id]
		switch {
		case seen[id]: // another name of it
		case f != nil:
			seen[id] = true
			s.update(f, c, now)
		default:
			strangers = append(strangers, c)
		}
	}
	for _, f := range slices.Clone(s.files) {
		if !seen[f.identity] {
			s.missing(f)
		}
	}
	s.compareCopies(now)
	// Strangers come last: a copy is compared with what its original is now.
	for _, c := range strangers {
		if id := identityOf(c.info, c.path); !seen[id] && s.known[id] == nil {
			seen[id] = true
			s.add(c, now)
		}
	}
	for name, last := range s.names {
		if s.looks-last > remembered {
			delete(s.names, name)
		}
	}
	s.fresh = false
}

// candidates lists the files that patterns match, and those beside them that may
// be generations of them, the oldest first.
func (s *Set) candidates() []candidate {
	current := map[string]bool{}
	dirs := map[string]bool{}
	for _, pattern := range s.settings.Patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			continue // the configuration was checked
		}
		dirs[filepath.Dir(pattern)] = !hasMeta(filepath.Dir(pattern))
		for _, path := range paths {
			real, err := filepath.EvalSymlinks(path) // glog's current file is a link
			if err != nil {
				continue // gone since, or a link to nothing
			}
			if !inside(path, real) {
				s.complain(fmt.Errorf("%s: a link out of its directory is not followed", path))
				continue
			}
			current[real] = true
			dirs[filepath.Dir(real)] = true
		}
	}
	for _, f := range s.files {
		dirs[filepath.Dir(f.Path)] = true
	}
	var all []candidate
	for dir, wanted := range dirs {
		if wanted {
			all = append(all, s.list(dir, current)...)
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		if d := a.info.ModTime().Compare(b.info.ModTime()); d != 0 {
			return d
		}
		return strings.Compare(a.path, b.path)
	})
	return all
}

// list lists the files of a directory. Those are current that patterns were found to
// match, by links too, and those whose names match: one may have come since.
func (s *Set) list(dir string, matched map[string]bool) []candidate {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // not there yet, or not any more
	}
	var files, found []candidate
	for _, e := range entries {
		if !e.Type().IsRegular() || compressed(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		c := candidate{path: path, entry: e, current: matched[path] || s.matches(path)}
		if c.current && s.names[path] != forever {
			s.names[path] = s.looks
		}
		files = append(files, c)
	}
	generations := 0
	for _, c := range files {
		if !c.current && !s.related(c.path) {
			continue
		}
		if c.info, err = c.entry.Info(); err != nil {
			continue // gone since
		}
		if !c.current {
			generations++
		}
		if generations > maxEntries && !c.current && s.known[identityOf(c.info, c.path)] == nil {
			s.complain(fmt.Errorf("%s: a directory with more than %d generations: the others are not followed", dir, maxEntries))
			continue
		}
		found = append(found, c)
	}
	return found
}

// update takes over what a look has told of a known file.
func (s *Set) update(f *File, c candidate, now time.Time) {
	renamed := f.Path != c.path || f.Current != c.current
	f.Path, f.Current, f.gone = c.path, c.current, false
	if f.file == nil && (c.current && !f.dormant || c.info.Size() != f.size || !c.info.ModTime().Equal(f.modified) || f.Lag() > 0) {
		if err := s.open(f); err != nil {
			s.complain(err)
		} else {
			f.grown = now
		}
	}
	if renamed {
		s.note(f)
	}
}

// missing handles a known file that has no name any more.
func (s *Set) missing(f *File) {
	if f.file != nil {
		f.gone = true // its content is there until it is closed
		return
	}
	if lag := f.Lag(); lag > 0 || f.Current {
		s.settings.Lost(f.Path, lag, "removed")
	}
	s.forget(f)
}

// add begins to follow a file that was not known.
func (s *Set) add(c candidate, now time.Time) {
	f := &File{ID: NewID(), Path: c.path, Current: c.current, identity: identityOf(c.info, c.path), size: c.info.Size(), modified: c.info.ModTime(), grown: now}
	if s.fresh && !c.current { // rotated before anybody followed
		if err := f.settle(f.size); err != nil {
			s.complain(err)
			return
		}
		s.keep(f)
		return
	}
	if err := s.open(f); err != nil {
		s.complain(err)
		return
	}
	if s.fresh && s.settings.FromEnd {
		if err := f.settle(f.size); err != nil {
			s.complain(err)
			f.close()
			return
		}
	}
	if f.offset == 0 {
		if info, err := f.file.Stat(); err == nil { // as it was when it was opened, not when it was listed
			f.look(info, now)
		}
	}
	f.copyOf = s.original(f)
	s.keep(f)
}

func (s *Set) keep(f *File) {
	s.files = append(s.files, f)
	s.known[f.identity] = f
	s.note(f)
}

// inside tells whether what a path leads to is where the path is. Whoever may
// write into a directory of logs could otherwise have any file read that this
// process may read.
func inside(path, real string) bool {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(dir, real)
	return err == nil && filepath.IsLocal(rel)
}

// complain tells of a file that cannot be read, and logs it once.
func (s *Set) complain(err error) {
	if errors.Is(err, errFull) || errors.Is(err, errRenamed) || errors.Is(err, fs.ErrNotExist) {
		return
	}
	s.settings.Failed(err)
	if len(s.logged) > maxEntries {
		clear(s.logged)
	}
	if !s.logged[err.Error()] {
		s.logged[err.Error()] = true
		s.settings.Log.Warn("a file cannot be read", "error", err)
	}
}

// related tells whether a path is a generation of a file that patterns match.
func (s *Set) related(path string) bool {
	for name := range s.names {
		if name == path || generation(name, path) {
			return true
		}
	}
	return false
}

// matches tells whether a pattern matches a path.
func (s *Set) matches(path string) bool {
	return slices.ContainsFunc(s.settings.Patterns, func(pattern string) bool {
		matched, err := filepath.Match(pattern, path)
		return matched && err == nil
	})
}

// kin tells whether b is a generation of a name, and a is that name or another
// generation of it.
func (s *Set) kin(a, b string) bool {
	for name := range s.names {
		if generation(name, b) && (a == name || generation(name, a)) {
			return true
		}
	}
	return false
}

// generation tells whether a path is what rotation makes of a name: app.log.1,
// app.log-20240305, app-2024-03-05.log.
func generation(name, path string) bool {
	if filepath.Dir(name) != filepath.Dir(path) || name == path {
		return false
	}
	base, other := filepath.Base(name), filepath.Base(path)
	if rest, ok := strings.CutPrefix(other, base); ok {
		return strings.ContainsRune(".-_", rune(rest[0]))
	}
	extension := filepath.Ext(base)
	stem := strings.TrimSuffix(base, extension)
	if extension == "" || stem == "" {
		return false
	}
	rest, ok := strings.CutPrefix(other, stem)
	if !ok || !strings.HasSuffix(rest, extension) || len(rest) <= len(extension) {
		return false
	}
	return strings.ContainsRune(".-_", rune(rest[0])) && strings.ContainsAny(rest, "0123456789")
}

func compressed(name string) bool {
	switch filepath.Ext(name) {
	case ".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".tmp", ".swp":
		return true
	}
	return false
}

func hasMeta(pattern string) bool { return strings.ContainsAny(pattern, `*?[\`) }
