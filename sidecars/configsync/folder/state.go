package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/flotilla-dev/flotilla/sidecars/configsync/follow"
)

// stateFile is where the state outlives the process.
const stateFile = ".configsync.json"

// state is what is known of the files.
type state struct {
	Cluster  string           `json:"cluster"` // etcd's id of the last change, in hexadecimal
	Revision int64            `json:"revision"`
	Files    map[string]owned `json:"files"`

	dirty bool
}

// owned is a file that was written here.
type owned struct {
	Key     string `json:"key"`
	Version int64  `json:"version"`
	SHA256  string `json:"sha256"`
}

// lostBy tells whether a snapshot comes from an etcd that does not know what the
// last one did: another one, or one that has lost its data. That it has no key is
// then no reason to delete a file.
func (s *state) lostBy(snapshot follow.Snapshot) bool {
	return len(s.Files) > 0 && (s.Cluster != clusterID(snapshot) || s.Revision > snapshot.Revision)
}

func clusterID(s follow.Snapshot) string { return fmt.Sprintf("%x", s.Cluster) }

func (s *state) own(name string, file owned) {
	if s.Files[name] != file {
		s.Files[name] = file
		s.dirty = true
	}
}

// ours lists the files that were written here, sorted.
func (f *Folder) ours() []string {
	return slices.Sorted(maps.Keys(f.state.Files))
}

func (f *Folder) forget(name string) {
	delete(f.state.Files, name)
	f.state.dirty = true
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.files, name)
}

// load reads the state, and tells of each file as far as it still is the one that
// was written.
func (f *Folder) load() error {
	f.state.Files = map[string]owned{}
	text, err := f.read(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	if s.Files == nil {
		s.Files = map[string]owned{}
	}
	f.state = s
	for name, o := range s.Files {
		content, err := f.read(name)
		if err != nil {
			continue // it is written again when etcd has been asked
		}
		file := f.file(name)
		file.Key, file.SHA256, file.Size = o.Key, digest(content), len(content)
		if file.SHA256 == o.SHA256 {
			file.Version = o.Version
		}
		if info, err := f.root.Stat(name); err == nil {
			file.Since = info.ModTime().UTC()
		}
	}
	return nil
}

// settle writes the state when it has changed. That this fails costs what is told
// after the next start, not the files.
func (f *Folder) settle(s follow.Snapshot) {
	f.forgetRejected(s)
	if !f.state.dirty {
		return
	}
	f.state.Cluster, f.state.Revision, f.state.dirty = clusterID(s), s.Revision, false
	text, err := json.Marshal(f.state)
	const fresh = prefix + "state"
	if err == nil {
		err = errors.Join(f.remove(fresh), f.writeFresh(fresh, text, 0o644))
	}
	if err == nil {
		err = f.root.Rename(fresh, stateFile)
	}
	if err != nil {
		f.Log.Warn("state not written", "file", stateFile, "error", err)
	}
}

// forgetRejected ends what is told of keys that never became files and are gone.
func (f *Folder) forgetRejected(s follow.Snapshot) {
	present := map[string]bool{}
	for _, e := range s.Entries {
		present[e.Key] = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, file := range f.files {
		if _, ours := f.state.Files[name]; !ours && !present[file.Key] {
			delete(f.files, name)
		}
	}
}
