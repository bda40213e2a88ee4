package follow

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// A copy is what copytruncate makes before it truncates a log: a file with the
// name of a generation and the content of a file that is followed. It is not
// read while its original is. When that is truncated, the copy is read on from
// where the original was read to. That comes as soon as the copy is made: what
// does not grow any more, and has no original that was truncated, is no copy.

// likeness is how much a file looks like a copy of another.
type likeness int

const (
	different likeness = iota
	unsure             // alike as far as it goes, which is not far: it may be being made
	alike
)

// compare tells how much c looks like a copy of o: by the bytes before the place
// to which o was read, or, where c does not reach it, by how both begin.
func compare(o, c *File) likeness {
	p := o.position()
	if p.Before > 0 && p.Offset <= c.size {
		_, same := recognise(c.file, p)
		switch {
		case !same:
			return different
		case p.Before == witness:
			return alike
		}
	}
	theirs := head(c.file)
	n := min(len(o.head), len(theirs))
	switch {
	case !bytes.Equal(o.head[:n], theirs[:n]), p.Offset == 0 && len(o.head) == 0:
		return different
	case n < witness:
		return unsure
	}
	return alike
}

// parted tells that c ends with other bytes than o has there, though o was not
// truncated: they began alike, as programs do that write a banner, and went on
// differently. Nobody can tell of an o that was closed: then they have parted too.
func parted(o, c *File) bool {
	if o.file == nil {
		return true
	}
	ours, theirs := make([]byte, min(witness, c.size)), make([]byte, min(witness, c.size))
	at := c.size - int64(len(theirs))
	if _, err := c.file.ReadAt(theirs, at); err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	n, _ := o.file.ReadAt(ours, at) // o is shorter than its copies only when it was truncated
	return !bytes.Equal(ours[:n], theirs) && !o.begunAgain()
}

// original returns the file of which c may be a copy. Only one that is written to can be
// truncated: a generation that is like another one has the same lines, and they happened
// twice – unless it was truncated before it became a generation itself.
func (s *Set) original(c *File) *File {
	var maybe *File
	for _, o := range s.files {
		if o.copyOf != nil || !s.kin(o.Path, c.Path) || !o.Current && !o.begunAgain() {
			continue
		}
		l := compare(o, c)
		switch {
		case l == different, parted(o, c):
		case l == alike:
			return o
		default:
			maybe = o
		}
	}
	return maybe
}

// begunAgain tells that the file has other bytes now than those that were read or seen.
func (f *File) begunAgain() bool {
	if f.file == nil {
		return false
	}
	if info, err := f.file.Stat(); err == nil && info.Size() < f.size { // logs only grow
		return true
	}
	p := f.position()
	if p.Before == 0 { // nothing was read, but its beginning was seen
		return !bytes.HasPrefix(head(f.file), f.head)
	}
	_, same := recognise(f.file, p)
	return !same
}

// compareCopies looks again at what may be copies. A file that turned out to be
// something else, stays too short to tell, or has not had its original truncated
// after a while, is read as every other one: if it was a copy, it is read twice,
// which is better than never.
func (s *Set) compareCopies(now time.Time) {
	for _, c := range s.files {
		if c.copyOf == nil || c.file == nil {
			continue
		}
		if info, err := c.file.Stat(); err == nil {
			c.look(info, now)
		}
		l, waited := compare(c.copyOf, c), c.Idle(now, s.settings.Grace)
		if l == different || waited && (l == unsure || !c.copyOf.begunAgain()) || parted(c.copyOf, c) {
			c.copyOf = nil
			s.note(c)
		}
	}
}

// takeCopy returns the copy in which a truncated file goes on: the largest that
// has the same bytes where it was read to. Other copies are older, and settled.
func (s *Set) takeCopy(f *File) *File {
	var best *File
	for _, c := range s.files {
		if c.copyOf != f || !f.within(c) || best != nil && best.size >= c.size {
			continue
		}
		best = c
	}
	for _, c := range s.files {
		if c.copyOf == f && c != best {
			s.release(c, f)
		}
	}
	return best
}

// within tells whether a copy has what was read of the file, and its beginning.
func (f *File) within(c *File) bool {
	p := f.position()
	if p.Before == 0 {
		return len(f.head) > 0 && bytes.HasPrefix(head(c.file), f.head)
	}
	_, same := recognise(c.file, p)
	return same
}

// handOver lets a copy go on where the original was read to, as the same content,
// and returns the copy's size.
func (s *Set) handOver(f, c *File) int64 {
	p := f.position()
	c.copyOf, c.ID = nil, f.ID
	c.offset, c.trail, c.resume = p.Offset, nil, &p
	s.note(c)
	s.settings.Log.Info("reading on in the copy of a truncated file", "path", f.Path, "copy", c.Path, "from", p.Offset)
	return c.size
}

// release ends the waiting of a copy whose original is gone. What is alike was
// read with the original; what is not is read now.
func (s *Set) release(c, original *File) {
	l := compare(original, c)
	c.copyOf = nil
	if l == alike {
		if err := c.settle(c.size); err != nil {
			s.settings.Log.Warn("a copy cannot be read", "path", c.Path, "error", err)
		}
		c.close()
	}
	s.note(c)
}
