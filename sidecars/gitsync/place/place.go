package place

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// revisions is the folder of the revisions.
const revisions = ".revisions"

// Options say how long revisions stay that are not current any more.
type Options struct {
	Keep time.Duration
	Most int
}

// Place is the directory. It belongs to one goroutine.
type Place struct {
	dir, link string
	options   Options
	lock      *os.File
	current   string               // name of the revision that the link leads to; "" for none
	retired   map[string]time.Time // revisions that are not current, and since when
}

// Open takes the directory, makes it where there is none, and clears away what a
// process that was killed has left.
func Open(dir, link string, o Options) (*Place, error) {
	if err := os.MkdirAll(filepath.Join(dir, revisions), 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	p := &Place{dir: dir, link: link, options: o, lock: lock, retired: map[string]time.Time{}}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		p.Close()
		return nil, errors.New("another process keeps this directory")
	}
	if err := p.adopt(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close lets the directory go.
func (p *Place) Close() { _ = p.lock.Close() } // which also unlocks it

// adopt finds what is there already.
func (p *Place) adopt() error {
	info, err := os.Lstat(filepath.Join(p.dir, p.link))
	if err == nil && info.Mode().Type() != fs.ModeSymlink {
		return fmt.Errorf("%s is there and is no link", p.link)
	}
	if err := p.clear(p.dir, ".link-"); err != nil {
		return err
	}
	if err := p.clear(filepath.Join(p.dir, revisions), "."); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(p.dir, revisions))
	if err != nil {
		return err
	}
	target, _ := os.Readlink(filepath.Join(p.dir, p.link)) // none: no current revision
	for _, e := range entries {
		if filepath.Join(revisions, e.Name()) == target {
			p.current = e.Name()
			continue
		}
		p.retired[e.Name()] = time.Now() // when it was replaced, nobody knows any more
	}
	return nil
}

// clear removes what begins with prefix.
func (p *Place) clear(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Current is the name of the current revision, "" for none.
func (p *Place) Current() string { return p.current }

// has tells whether a revision is there, whole.
func (p *Place) has(name string) bool {
	_, retired := p.retired[name]
	return retired || name == p.current && name != ""
}

// Add makes a revision: write fills an empty directory, which then gets its name.
func (p *Place) Add(name string, write func(dir string) error) error {
	if p.has(name) {
		return nil
	}
	fresh, err := os.MkdirTemp(filepath.Join(p.dir, revisions), ".new-")
	if err != nil {
		return err
	}
	err = errors.Join(os.Chmod(fresh, 0o755), write(fresh)) // MkdirTemp's is for its owner alone
	if err == nil {
		err = os.Rename(fresh, p.path(name))
	}
	if err != nil {
		_ = os.RemoveAll(fresh) // else at the next start
		return err
	}
	p.retired[name] = time.Now()
	return nil
}

// Swap makes a revision the current one.
func (p *Place) Swap(name string) error {
	if name == p.current {
		return nil
	}
	fresh := filepath.Join(p.dir, ".link-"+name)
	_ = os.Remove(fresh) // of a swap that did not get further
	if err := os.Symlink(filepath.Join(revisions, name), fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, filepath.Join(p.dir, p.link)); err != nil {
		return err
	}
	if p.current != "" {
		p.retired[p.current] = time.Now()
	}
	delete(p.retired, name)
	p.current = name
	return nil
}

// Prune removes the revisions whose time is over, and the oldest of too many.
func (p *Place) Prune() error {
	names := make([]string, 0, len(p.retired))
	for name := range p.retired {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return p.retired[b].Compare(p.retired[a]) })
	var errs []error
	for i, name := range names {
		if i < p.options.Most && time.Since(p.retired[name]) < p.options.Keep {
			continue
		}
		errs = append(errs, p.remove(name))
	}
	return errors.Join(errs...)
}

// remove takes the name first: what was begun to be removed is no revision.
func (p *Place) remove(name string) error {
	gone := filepath.Join(p.dir, revisions, ".old-"+name)
	if err := os.Rename(p.path(name), gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	delete(p.retired, name)
	return os.RemoveAll(gone)
}

// Kept is how many revisions stay for those who still read them.
func (p *Place) Kept() int { return len(p.retired) }

func (p *Place) path(name string) string { return filepath.Join(p.dir, revisions, name) }
