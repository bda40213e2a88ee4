package h1

import (
	"bytes"
	"io"
)

// A Reader buffers what comes from a connection. The zero value must be Reset.
type Reader struct {
	src     io.Reader
	buf     []byte
	r, w    int // buf[r:w] is read from src and not consumed
	pin     int // buf[:pin] is the head in use; it is not overwritten
	scanned int // buf[r:scanned] holds no end of a head
}

// minBuffer is the first size of a buffer; most heads are below a kilobyte.
const minBuffer = 4 << 10

// NewReader returns a reader of src whose buffer has the size, or a usual one
// when that is less.
func NewReader(src io.Reader, size int) *Reader {
	return &Reader{src: src, buf: make([]byte, max(size, minBuffer))}
}

// Buffered is how many bytes can be read without waiting.
func (r *Reader) Buffered() int { return r.w - r.r }

// Take returns the buffered bytes and consumes them. They are valid until the
// next read.
func (r *Reader) Take() []byte {
	b := r.buf[r.r:r.w]
	r.r = r.w
	return b
}

// Read reads buffered bytes, or else from the source directly.
func (r *Reader) Read(p []byte) (int, error) {
	if r.r == r.w {
		return r.src.Read(p)
	}
	n := copy(p, r.buf[r.r:r.w])
	r.r += n
	return n, nil
}

// fill waits for more bytes. What was consumed makes room first; the buffer
// grows only when it is full of what was not.
func (r *Reader) fill() error {
	if r.r > r.pin && (r.r == r.w || r.w == len(r.buf)) {
		r.scanned -= r.r - r.pin
		r.w = r.pin + copy(r.buf[r.pin:], r.buf[r.r:r.w])
		r.r = r.pin
	}
	if r.w == len(r.buf) {
		larger := make([]byte, 2*len(r.buf))
		copy(larger, r.buf[:r.w])
		r.buf = larger // slices into the old buffer keep it alive for their users
	}
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// Wait returns when at least one byte of the next message is there. It calls
// before, if given, before it has to wait. It skips empty lines before the
// message, which RFC 9112, 2.2 asks of a server.
func (r *Reader) Wait(before func()) error {
	r.compact()
	for {
		for r.Buffered() >= 2 && r.buf[r.r] == '\r' && r.buf[r.r+1] == '\n' {
			r.r += 2
		}
		if r.Buffered() > 1 || r.Buffered() == 1 && r.buf[r.r] != '\r' {
			return nil
		}
		if before != nil {
			before()
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// compact gives up the head in use and moves what is left to the front.
func (r *Reader) compact() {
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	r.pin, r.scanned = 0, 0
}

// HasHead tells whether a whole head is buffered, so that reading it will not
// wait.
func (r *Reader) HasHead() bool {
	return bytes.Contains(r.buf[r.r:r.w], crlfcrlf)
}

var (
	crlfcrlf = []byte("\r\n\r\n")
	lfcrlf   = []byte("\n\r\n")
	lflf     = []byte("\n\n")
)

// head reads up to and including the empty line. What it returned before is
// void from then on. It may be called again after an error of the source that
// was a time-out: nothing is lost.
func (r *Reader) head(limit int) ([]byte, error) {
	if r.pin > 0 {
		r.compact()
	}
	for {
		from := max(r.r, r.scanned-3)
		unseen := r.buf[from:r.w]
		if i := bytes.Index(unseen, crlfcrlf); i >= 0 {
			end := from + i + len(crlfcrlf)
			if end-r.r > limit {
				return nil, ErrHeadTooLong
			}
			head := r.buf[r.r:end:end]
			r.r, r.pin, r.scanned = end, end, 0
			return head, nil
		}
		if bytes.Contains(unseen, lfcrlf) || bytes.Contains(unseen, lflf) {
			return nil, ErrBareLF
		}
		if r.w-r.r > limit {
			return nil, ErrHeadTooLong
		}
		r.scanned = r.w
		if err := r.fill(); err != nil {
			if err == io.EOF && r.w > r.r {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// lineLength is how much of the first line is buffered.
func (r *Reader) lineLength() int {
	if i := bytes.IndexByte(r.buf[r.r:r.w], '\n'); i >= 0 {
		return i
	}
	return r.Buffered()
}

// line reads a line of at most limit bytes and returns it without its CRLF. It
// is valid until the next read.
func (r *Reader) line(limit int, tooLong error) ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(r.buf[r.r+seen:r.w], '\n'); i >= 0 {
			line := r.buf[r.r : r.r+seen+i]
			r.r += seen + i + 1
			if len(line) == 0 || line[len(line)-1] != '\r' {
				return nil, ErrBareLF
			}
			return line[:len(line)-1], nil
		}
		seen = r.w - r.r
		if seen > limit {
			return nil, tooLong
		}
		if err := r.fill(); err != nil {
			return nil, unexpected(err)
		}
	}
}

// unexpected turns an end of the stream within a message into an error.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
