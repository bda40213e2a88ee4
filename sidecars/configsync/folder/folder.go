// Package folder keeps the files of a directory equal to what it is told.
//
// A file is written beside its place, checked there, forced to the disk and then
// renamed: whoever opens it reads the old content or the new one, whole. What is
// not accepted leaves the file before it in place, and is told by Status.
//
// A small file, .configsync.json, remembers which files are ours and of which
// version they are, over the end of the process.
package folder

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/sidecars/configsync/follow"
	"github.com/flotilla-dev/flotilla/sidecars/configsync/syntax"
)

// Options say how a Folder works.
type Options struct {
	Dir     string
	Name    func(key string) (string, error) // the path in Dir that a key has
	Deletes bool                             // a key that is deleted takes its file with it
	MaxSize int64
	Mode    fs.FileMode
	Syntax  syntax.Kind
	Command Command
	Log     *slog.Logger
	Count   func(result string) // of each write: ok, rejected or error
}

// Folder is a directory that is kept equal to snapshots. Apply belongs to one
// goroutine, Status to all.
type Folder struct {
	Options
	root *os.Root

	state state // of the one goroutine that calls Apply

	mu    sync.Mutex // guards files, which Status reads
	files map[string]*File
}

// Open takes over a directory, which must exist. It removes what an earlier
// process has begun and not finished.
func Open(o Options) (*Folder, error) {
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{Options: o, root: root, files: map[string]*File{}}
	if err := f.load(); err != nil {
		o.Log.Warn("state not read: whose the files are is not known", "file", stateFile, "error", err)
	}
	f.clean()
	return f, nil
}

// Close gives the directory back.
func (f *Folder) Close() error { return f.root.Close() }

// Apply makes the directory equal to the snapshot, and tells whether a file has
// changed.
func (f *Folder) Apply(ctx context.Context, s follow.Snapshot) (changed bool) {
	lost := f.state.lostBy(s)
	if lost {
		f.Log.Warn("etcd has lost its past: files whose keys it does not have are kept and not followed any more", "revision", s.Revision, "before", f.state.Revision)
		f.state.dirty = true // from here on this is the past
	}
	present := map[string]bool{}
	for _, e := range s.Entries {
		name, err := f.Name(e.Key)
		if err != nil {
			f.reject(e.Key, e, &Rejected{reason: err.Error()})
			continue
		}
		present[name] = true
		if f.put(ctx, name, e) {
			changed = true
		}
	}
	for _, name := range f.ours() {
		if !present[name] && f.gone(name, lost) {
			changed = true
		}
	}
	f.settle(s)
	return changed
}

// put makes one file equal to an entry, and tells whether it was not.
func (f *Folder) put(ctx context.Context, name string, e follow.Entry) bool {
	current, err := f.read(name)
	if err == nil && bytes.Equal(current, e.Value) {
		f.applied(name, e, false)
		return false
	}
	if f.rejectedBefore(name, e) {
		return false
	}
	err = f.write(ctx, name, e.Value)
	var rejected *Rejected
	switch {
	case errors.As(err, &rejected):
		f.reject(name, e, rejected)
	case ctx.Err() != nil: // this is the end, and no fault of the file
	case err != nil:
		f.failed(name, e, err)
	default:
		f.applied(name, e, true)
		return true
	}
	return false
}

func (f *Folder) read(name string) ([]byte, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, f.MaxSize+1))
}

// prefix begins the names of files that are not finished.
const prefix = ".configsync-"

// write replaces a file. The new one is checked as the file that it is going to
// be, so that what was checked is what is used.
func (f *Folder) write(ctx context.Context, name string, content []byte) error {
	if int64(len(content)) > f.MaxSize {
		return &Rejected{reason: fmt.Sprintf("it has %d bytes, at most %d are allowed", len(content), f.MaxSize)}
	}
	if err := f.Syntax.Check(name, content); err != nil {
		return &Rejected{reason: err.Error()}
	}
	dir := path.Dir(name)
	if err := f.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fresh := path.Join(dir, prefix+rand.Text()+"-"+path.Base(name))
	if err := f.writeFresh(fresh, content, f.Mode); err != nil {
		return errors.Join(err, f.remove(fresh))
	}
	if err := f.Command.check(ctx, path.Join(f.Dir, fresh)); err != nil {
		return errors.Join(err, f.remove(fresh))
	}
	if err := f.root.Rename(fresh, name); err != nil {
		return errors.Join(err, f.remove(fresh))
	}
	return f.syncDir(dir)
}

func (f *Folder) writeFresh(name string, content []byte, mode fs.FileMode) error {
	file, err := f.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Chmod(mode) // whatever the umask is
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncDir makes a rename outlive a loss of power.
func (f *Folder) syncDir(name string) error {
	dir, err := f.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (f *Folder) remove(name string) error {
	if err := f.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// clean removes files that were never finished.
func (f *Folder) clean() {
	dirs := map[string]bool{".": true}
	for _, name := range f.ours() {
		dirs[path.Dir(name)] = true
	}
	for dir := range dirs {
		left, _ := fs.Glob(f.root.FS(), path.Join(dir, prefix+"*")) // the pattern is good
		for _, name := range left {
			if err := f.remove(name); err != nil {
				f.Log.Warn("an unfinished file is left", "file", name, "error", err)
			}
		}
	}
}

// gone deals with a file whose key is not there any more, and tells whether the
// file went too. It goes when the key was deleted; that etcd has lost its data is
// no deletion.
func (f *Folder) gone(name string, lost bool) bool {
	switch {
	case !f.Deletes:
		f.absent(name)
		return false
	case lost:
		f.forget(name)
		return false
	}
	if err := f.remove(name); err != nil {
		f.failed(name, follow.Entry{}, err)
		return false
	}
	f.forget(name)
	f.Log.Info("configuration deleted", "file", name)
	return true
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
