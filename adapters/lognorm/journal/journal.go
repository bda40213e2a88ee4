// Package journal keeps how far each source was read and delivered, in one file
// that is replaced atomically.
//
// What it says was delivered was delivered: it is written after the records have
// left. So the end of the process, kind or not, loses nothing, and repeats at
// most what left since the last save.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/follow"
	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

// Journal is the state of all sources. It is safe for concurrent use.
type Journal struct {
	path   string // "" keeps it in memory only
	unlock func()

	mu      sync.Mutex // guards all below
	sources map[string]*source
	torn    bool
	broken  error
}

// source is what is known of one.
type source struct {
	files  map[follow.Identity]follow.Saved
	cursor json.RawMessage
}

// document is the file.
type document struct {
	Version int                  `json:"version"`
	Clean   bool                 `json:"clean"` // nothing was under way when it was written
	Sources map[string]sourceDoc `json:"sources"`
}

type sourceDoc struct {
	Files  []follow.Saved  `json:"files,omitempty"`
	Cursor json.RawMessage `json:"cursor,omitempty"`
}

const version = 1

// maxSize bounds a file that is read: ten thousand followed files have two megabytes.
const maxSize = 64 << 20

// Open reads the journal. A file that is none is put aside, and everything is
// read again from its beginning: repeated, not lost. While a Journal is open no
// other process may open it.
func Open(path string) (*Journal, error) {
	j := &Journal{path: path, sources: map[string]*source{}, unlock: func() {}}
	if path == "" {
		return j, nil
	}
	unlock, err := lock(path + ".lock")
	if err != nil {
		return nil, err
	}
	j.unlock = unlock
	if err := j.read(); err != nil {
		unlock()
		return nil, err
	}
	return j, nil
}

func (j *Journal) read() error {
	content, err := load(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	var d document
	if err := json.Unmarshal(content, &d); err != nil || d.Version != version {
		aside := j.path + ".broken"
		j.broken = fmt.Errorf("the state was not readable, and is now %s: everything is read again", aside)
		j.torn = true
		return os.Rename(j.path, aside)
	}
	j.torn = !d.Clean
	for name, doc := range d.Sources {
		s := &source{files: map[follow.Identity]follow.Saved{}, cursor: doc.Cursor}
		for _, f := range doc.Files {
			s.files[f.Identity] = f
		}
		j.sources[name] = s
	}
	return nil
}

func load(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSize {
		return nil, fmt.Errorf("%s has %d bytes, which no state has", path, info.Size())
	}
	return os.ReadFile(path)
}

// Torn tells that the process before did not end in order: the last line that it
// wrote may lack its end.
func (j *Journal) Torn() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.torn
}

// Broken is what was wrong with the file, once.
func (j *Journal) Broken() error { return j.broken }

// Files returns what is known of a source's files. It is fresh when the source
// was never seen.
func (j *Journal) Files(name string) (files []follow.Saved, fresh bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s, known := j.sources[name]
	if !known {
		j.sources[name] = newSource()
		return nil, j.broken == nil
	}
	for _, f := range s.files {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b follow.Saved) int { return strings.Compare(a.Path, b.Path) })
	return files, false
}

// Cursor returns where a polled source is.
func (j *Journal) Cursor(name string) json.RawMessage {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.sources[name]; s != nil {
		return s.cursor
	}
	return nil
}

func newSource() *source { return &source{files: map[follow.Identity]follow.Saved{}} }

func (j *Journal) source(name string) *source {
	s := j.sources[name]
	if s == nil {
		s = newSource()
		j.sources[name] = s
	}
	return s
}

// Apply takes over what has changed of a source's files.
func (j *Journal) Apply(name string, changes []follow.Change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.source(name)
	for _, c := range changes {
		if c.Saved == nil {
			delete(s.files, c.Identity)
			continue
		}
		s.files[c.Identity] = *c.Saved
	}
}

// SetCursor takes over where a polled source is.
func (j *Journal) SetCursor(name string, cursor json.RawMessage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.source(name).cursor = cursor
}

// Save writes the file. Clean says that nothing is under way.
func (j *Journal) Save(clean bool) error {
	if j.path == "" {
		return nil
	}
	content, err := json.Marshal(j.document(clean))
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	// Not synced: the end of the process does not need it, and an older state
	// after a loss of power repeats lines and loses none.
	if err := atomicfile.Write(j.path, content, 0o600); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

func (j *Journal) document(clean bool) document {
	j.mu.Lock()
	defer j.mu.Unlock()
	d := document{Version: version, Clean: clean, Sources: map[string]sourceDoc{}}
	for name, s := range j.sources {
		doc := sourceDoc{Cursor: s.cursor}
		for _, f := range s.files {
			doc.Files = append(doc.Files, f)
		}
		slices.SortFunc(doc.Files, func(a, b follow.Saved) int { return strings.Compare(a.Path, b.Path) })
		d.Sources[name] = doc
	}
	return d
}

// Close gives the file free.
func (j *Journal) Close() { j.unlock() }

// MakeDir makes the directory of a state file.
func MakeDir(path string) error {
	if path == "" {
		return nil
	}
	return os.MkdirAll(filepath.Dir(path), 0o700)
}
