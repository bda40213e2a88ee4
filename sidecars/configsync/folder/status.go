package folder

import (
	"maps"
	"slices"
	"time"

	"github.com/flotilla-dev/flotilla/sidecars/configsync/follow"
)

// File is what is told of one file.
type File struct {
	File    string    `json:"file"`
	Key     string    `json:"key,omitempty"`
	Version int64     `json:"version"` // that is applied; 0: none, or not known
	SHA256  string    `json:"sha256,omitempty"`
	Size    int       `json:"size"`
	Since   time.Time `json:"since,omitzero"` // when it was written

	Absent   bool       `json:"absent,omitempty"` // etcd does not have the key: the file is kept
	Rejected *Rejection `json:"rejected,omitempty"`
	Error    string     `json:"error,omitempty"` // why the file could not be written
}

// Rejection is a version that was not accepted.
type Rejection struct {
	Version int64     `json:"version"`
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since"`

	digest  string
	passing bool // another look may accept it
}

// Status returns the files, sorted by name.
func (f *Folder) Status() []File {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]File, 0, len(f.files))
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		all = append(all, *f.files[name])
	}
	return all
}

// file returns what is told of a name; the lock is held.
func (f *Folder) file(name string) *File {
	if f.files[name] == nil {
		f.files[name] = &File{File: name}
	}
	return f.files[name]
}

// applied notes that a file is equal to an entry, whether or not it had to be
// written for that.
func (f *Folder) applied(name string, e follow.Entry, written bool) {
	sum := digest(e.Value)
	f.state.own(name, owned{e.Key, e.Version, sum})
	f.mu.Lock()
	file := f.file(name)
	since := file.Since
	if written || since.IsZero() {
		since = now()
	}
	*file = File{File: name, Key: e.Key, Version: e.Version, SHA256: sum, Size: len(e.Value), Since: since}
	f.mu.Unlock()
	if written {
		f.Count("ok")
		f.Log.Info("configuration written", "file", name, "version", e.Version, "bytes", len(e.Value))
	}
}

// reject notes that an entry was not accepted. It is told once.
func (f *Folder) reject(name string, e follow.Entry, r *Rejected) {
	sum := digest(e.Value)
	f.mu.Lock()
	file := f.file(name)
	file.Key, file.Absent, file.Error = e.Key, false, ""
	known := file.Rejected != nil && file.Rejected.digest == sum && file.Rejected.Version == e.Version && file.Rejected.Reason == r.reason
	if !known {
		file.Rejected = &Rejection{Version: e.Version, Reason: r.reason, Since: now(), digest: sum, passing: r.passing}
	}
	f.mu.Unlock()
	if !known {
		f.Count("rejected")
		f.Log.Error("configuration rejected, the old one stays", "file", name, "version", e.Version, "reason", r.reason)
	}
}

// rejectedBefore tells that another look at an entry would end as the last one.
func (f *Folder) rejectedBefore(name string, e follow.Entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	file := f.files[name]
	return file != nil && file.Rejected != nil && !file.Rejected.passing && file.Rejected.Version == e.Version && file.Rejected.digest == digest(e.Value)
}

// failed notes that a file could not be written or deleted. It is tried again.
func (f *Folder) failed(name string, e follow.Entry, err error) {
	f.mu.Lock()
	file := f.file(name)
	known := file.Error != ""
	file.Error = "the file could not be written"
	if e.Key != "" {
		file.Key = e.Key
	}
	f.mu.Unlock()
	f.Count("error")
	if !known {
		f.Log.Error("file not written", "file", name, "error", err)
	}
}

// absent notes that a key is not there, and that its file is kept.
func (f *Folder) absent(name string) {
	f.mu.Lock()
	known := f.file(name).Absent
	f.files[name].Absent = true
	f.mu.Unlock()
	if !known {
		f.Log.Warn("etcd does not have the key, the file is kept", "file", name)
	}
}
