package follow

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Settings say which files are followed.
type Settings struct {
	Patterns []string // of paths, as filepath.Match has them
	FromEnd  bool     // what is there at the very first look was read before
	MaxOpen  int      // files held open; more wait until others are done
	Grace    time.Duration
	Log      *slog.Logger
	// Lost is told of bytes that were in a file, were not read and are gone: at
	// least so many. Nil means nobody is.
	Lost func(path string, bytes int64, why string)
	// Failed is told of files that cannot be read. Nil means nobody is.
	Failed func(error)
}

// Set is the files of some patterns.
type Set struct {
	settings  Settings
	files     []*File
	known     map[Identity]*File
	names     map[string]int // paths that patterns have matched, by which generations are found, and in which look last
	looks     int
	fresh     bool // nothing was ever read: what lies about is old
	waiting   int  // files that could not be opened yet
	truncated uint64
	changes   []Change
	logged    map[string]bool // errors that were logged: they come at each look again
}

// Change is what must be saved of a file. A nil Saved means that the file is gone.
type Change struct {
	Identity Identity
	Saved    *Saved
}

// New returns a Set that goes on where a saved one was, or, with fresh, begins.
func New(s Settings, saved []Saved, fresh bool) *Set {
	if s.Lost == nil {
		s.Lost = func(string, int64, string) {}
	}
	if s.Failed == nil {
		s.Failed = func(error) {}
	}
	set := &Set{settings: s, known: map[Identity]*File{}, names: map[string]int{}, fresh: fresh, logged: map[string]bool{}}
	saved = slices.Clone(saved)
	slices.SortStableFunc(saved, func(a, b Saved) int { return a.Modified.Compare(b.Modified) })
	for _, one := range saved {
		f := load(one)
		set.files = append(set.files, f)
		set.known[f.identity] = f
		set.names[f.Path] = 0
	}
	for _, p := range s.Patterns {
		if !hasMeta(p) {
			set.names[p] = forever
		}
	}
	return set
}

// Names that were not matched for so many looks are forgotten; those that the
// configuration says are kept.
const (
	remembered = 3600
	forever    = 1 << 62
)

// Files returns the files, in the order in which they should be read.
func (s *Set) Files() []*File { return s.files }

// Waiting is how many files wait for others to be done.
func (s *Set) Waiting() int { return s.waiting }

// Truncated is how often a file was begun again.
func (s *Set) Truncated() uint64 { return s.truncated }

// Changes returns what Look, Begin and Close have changed since the last call.
// It must be saved before records of what was read afterwards leave: their IDs
// must be known after a restart.
func (s *Set) Changes() []Change {
	c := s.changes
	s.changes = nil
	return c
}

// Moved is how far a file was read.
func (s *Set) Moved(f *File) Change {
	saved := f.save()
	return Change{Identity: f.identity, Saved: &saved}
}

// note remembers a change. A copy is compared with its original again after a
// restart, so it is not saved.
func (s *Set) note(f *File) {
	if f.copyOf == nil {
		s.changes = append(s.changes, s.Moved(f))
	}
}

// Read returns what comes next in a file, in buf, which must be larger than a
// kilobyte. It is empty when there is nothing now. After ErrChanged call Begin.
func (s *Set) Read(f *File, buf []byte, now time.Time) ([]byte, error) { return f.window(buf, now) }

// Advance notes that the first bytes of a window were taken.
func (s *Set) Advance(f *File, taken []byte) {
	f.offset += int64(len(taken))
	f.trail = f.trail.pass(taken)
}

// Begin begins a file again that was truncated. What was not read of it is read
// in the copy, if there is one, and otherwise lost. Whatever was read before must
// be on its way.
func (s *Set) Begin(f *File, now time.Time) {
	s.Look(now) // the copy was made before
	s.truncated++
	unread := f.size - f.offset
	if c := s.takeCopy(f); c != nil {
		unread = f.size - s.handOver(f, c)
	}
	if unread > 0 {
		s.settings.Lost(f.Path, unread, "truncated")
	}
	s.settings.Log.Info("file begins again", "path", f.Path, "read", f.offset, "size", f.size)
	f.begin()
	f.size, f.grown = 0, now
	s.note(f)
}

// Close ends the reading of a file that has ended. It is remembered while its
// name exists, so that it is not taken for a new one.
func (s *Set) Close(f *File) {
	f.close()
	if f.gone {
		s.forget(f)
	}
}

func (s *Set) forget(f *File) {
	f.close()
	for i, other := range s.files {
		if other == f {
			s.files = append(s.files[:i], s.files[i+1:]...)
			break
		}
	}
	if s.known[f.identity] == f {
		delete(s.known, f.identity)
	}
	for _, c := range s.files {
		if c.copyOf == f {
			s.release(c, f)
		}
	}
	s.changes = append(s.changes, Change{Identity: f.identity})
}

// CloseAll closes all files.
func (s *Set) CloseAll() {
	for _, f := range s.files {
		f.close()
	}
}

// open opens a file. When as many are open as may be, one that was read to its
// end long ago is closed for it: it is opened again when it grows.
func (s *Set) open(f *File) error {
	n := 0
	var idlest *File
	for _, other := range s.files {
		if other.file == nil {
			continue
		}
		n++
		if other.Lag() == 0 && other.resume == nil && other.copyOf == nil && (idlest == nil || other.grown.Before(idlest.grown)) {
			idlest = other
		}
	}
	if n >= s.settings.MaxOpen {
		if idlest == nil {
			s.waiting++
			return errFull
		}
		idlest.close()
		idlest.dormant = true
	}
	file, err := openFile(f.Path)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if info, err := file.Stat(); err != nil || identityOf(info, f.Path) != f.identity {
		_ = file.Close() // it was only read
		return errRenamed
	}
	f.file, f.dormant = file, false
	return nil
}

// errRenamed says that the name has come to mean another file since it was
// looked at. The next look finds both.
var errRenamed = errors.New("the name means another file now")

var errFull = errors.New("as many files are open as may be")
