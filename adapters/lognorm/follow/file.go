package follow

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// File is one file, under whatever name.
type File struct {
	ID      string // of its present content: another one after a truncation
	Path    string
	Current bool // the patterns match its name; otherwise it was rotated
	User    any  // belongs to the caller

	identity Identity
	file     *os.File // nil while nothing is expected of it
	offset   int64
	trail    trail     // the bytes before the place
	head     []byte    // the first bytes
	resume   *Position // where it is to be read on, once it is open and proves to be the same
	size     int64     // when it was last looked at
	modified time.Time
	grown    time.Time // when it was last seen to grow
	gone     bool      // it has no name any more that is looked at
	dormant  bool      // closed to make room, though its name is current
	copyOf   *File     // it begins with what is read in that file, as copytruncate makes it
}

// Saved is what must be known of a file to read it on after a restart.
type Saved struct {
	ID   string `json:"id"`
	Path string `json:"path"`
	Identity
	Position
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	Current  bool      `json:"current,omitempty"`
}

// NewID returns the identity of a content: with an offset in it, that of a record.
func NewID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func load(s Saved) *File {
	p := s.Position
	return &File{ID: s.ID, Path: s.Path, Current: s.Current, identity: s.Identity, offset: p.Offset, resume: &p, size: s.Size, modified: s.Modified}
}

func (f *File) save() Saved {
	return Saved{ID: f.ID, Path: f.Path, Identity: f.identity, Position: f.position(), Size: f.size, Modified: f.modified, Current: f.Current}
}

func (f *File) position() Position {
	if f.resume != nil {
		return *f.resume
	}
	return f.trail.at(f.offset)
}

// Offset is how many bytes were read.
func (f *File) Offset() int64 { return f.offset }

// Size is the file's when it was last looked at.
func (f *File) Size() int64 { return f.size }

// Open tells whether it is held open.
func (f *File) Open() bool { return f.file != nil }

// Lag is how many bytes are there to be read.
func (f *File) Lag() int64 {
	if f.copyOf != nil {
		return 0
	}
	return max(0, f.size-f.offset)
}

// Idle tells that the file has not grown for a time.
func (f *File) Idle(now time.Time, d time.Duration) bool { return now.Sub(f.grown) >= d }

// Ended tells that nothing more is expected of the file: its name is gone or was
// rotated, and it has not grown for the grace that its writer gets to notice.
func (f *File) Ended(now time.Time, grace time.Duration) bool {
	return f.file != nil && f.copyOf == nil && (f.gone || !f.Current) && f.Idle(now, grace)
}

// ErrChanged says that the bytes before the place are not those that were read.
var ErrChanged = errors.New("the file was truncated or replaced")

// window reads what comes next into buf. It is empty at the end of the file.
func (f *File) window(buf []byte, now time.Time) ([]byte, error) {
	if f.file == nil || f.copyOf != nil {
		return nil, nil
	}
	info, err := f.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("stat %s: %w", f.Path, err)
	}
	if info.Size() < f.size { // logs only grow
		return nil, ErrChanged
	}
	if f.resume != nil {
		known, ok := recognise(f.file, *f.resume)
		if !ok {
			return nil, ErrChanged
		}
		f.trail, f.resume = known, nil
	}
	if info.Size() == f.offset {
		f.look(info, now)
		return nil, nil
	}
	// One read for the proof and for the news.
	n, err := f.file.ReadAt(buf, f.offset-int64(len(f.trail)))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	if n < len(f.trail) || !f.trail.same(buf[:len(f.trail)]) {
		return nil, ErrChanged
	}
	if f.offset == 0 && !bytes.HasPrefix(buf[:n], f.head) { // there is no trail yet
		return nil, ErrChanged
	}
	f.look(info, now)
	return buf[len(f.trail):n], nil
}

// headSize is how many of the first bytes are remembered.
const headSize = 4 * witness

// head reads the first bytes.
func head(r io.ReaderAt) []byte {
	b := make([]byte, headSize)
	n, _ := r.ReadAt(b, 0) // what cannot be read is like nothing
	return b[:n]
}

// look remembers what the file is like, now that it has proven to be the same.
func (f *File) look(info os.FileInfo, now time.Time) {
	if info.Size() != f.size {
		f.grown = now
	}
	f.size, f.modified = info.Size(), info.ModTime()
	if len(f.head) < headSize && int64(len(f.head)) < f.size {
		f.head = head(f.file)
	}
}

// begin makes the file a new one, of which nothing was read.
func (f *File) begin() {
	f.ID, f.offset, f.trail, f.head, f.resume = NewID(), 0, nil, nil, nil
}

// settle marks as read what is before size.
func (f *File) settle(size int64) error {
	if f.file == nil {
		file, err := openFile(f.Path)
		if err != nil {
			return err
		}
		defer file.Close()
		return f.settleIn(file, size)
	}
	return f.settleIn(f.file, size)
}

func (f *File) settleIn(file *os.File, size int64) error {
	b := make([]byte, min(witness, size))
	if _, err := file.ReadAt(b, size-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	f.offset, f.trail, f.resume = size, b, nil
	return nil
}

func (f *File) close() {
	if f.file != nil {
		_ = f.file.Close() // it was only read
		f.file = nil
	}
}
