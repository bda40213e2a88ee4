package h1

import (
	"bytes"
	"io"
)

// A Body reads the content of one message and stops where the message ends.
// The zero value is an empty body.
type Body struct {
	r     *Reader
	kind  bodyKind
	left  int64 // of the body, or of the current chunk
	limit int64 // of the content; 0: none
	taken int64
	err   error // the outcome, once there is one

	// Trailers are the trailer fields, once Read has returned io.EOF.
	Trailers []Field
}

type bodyKind uint8

const (
	empty bodyKind = iota
	counted
	chunkSize // the next thing is a chunk's size line
	chunkData
	chunkEnd // the CRLF after the data
	untilClose
)

// Start makes the body that follows the head just read: length is its size, -1
// for chunked, -2 when it ends with the connection. A limit of 0 is none.
func (b *Body) Start(r *Reader, length, limit int64) {
	*b = Body{r: r, limit: limit}
	switch {
	case length == lengthChunked:
		b.kind = chunkSize
	case length == lengthUnknown:
		b.kind = untilClose
	case length > 0:
		b.kind, b.left = counted, length
		if limit > 0 && length > limit {
			b.err = ErrBodyTooLong
		}
	default:
		b.err = io.EOF
	}
}

// Done tells that the whole body was read.
func (b *Body) Done() bool { return b.err == io.EOF || b.kind == empty }

// Reusable tells that the connection stands at the begin of the next message.
func (b *Body) Reusable() bool { return b.Done() && b.kind != untilClose }

// Ready tells whether a part of the body is buffered, so that Read will
// probably not wait.
func (b *Body) Ready() bool { return b.r != nil && b.r.Buffered() > 0 && !b.Done() }

// Whole tells whether all of a body of known length is buffered.
func (b *Body) Whole() bool {
	return b.kind == counted && b.err == nil && int64(b.r.Buffered()) >= b.left
}

// AtEnd tells, without waiting, that nothing is left to read. A last chunk
// without trailers is consumed if it is buffered: some clients send an empty
// chunked body with every GET.
func (b *Body) AtEnd() bool {
	if b.kind == chunkSize && b.err == nil && bytes.HasPrefix(b.r.buf[b.r.r:b.r.w], lastChunk) {
		b.r.r += len(lastChunk)
		b.err = io.EOF
	}
	return b.Done()
}

var lastChunk = []byte("0\r\n\r\n")

// Taken is how many bytes of content were read.
func (b *Body) Taken() int64 { return b.taken }

// Read returns content. When the last byte of a counted body is read, io.EOF
// comes with it.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil || b.kind == empty {
		if b.err == nil {
			b.err = io.EOF
		}
		return 0, b.err
	}
	n, err := b.read(p)
	b.taken += int64(n)
	if (err == nil || err == io.EOF) && b.limit > 0 && b.taken > b.limit {
		err = ErrBodyTooLong
	}
	if err != nil && !temporary(err) {
		b.err = err
	}
	return n, err
}

// temporary tells a time-out, after which reading may go on, from an end.
func temporary(err error) bool {
	timeout, ok := err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}

func (b *Body) read(p []byte) (int, error) {
	switch b.kind {
	case counted:
		n, err := b.some(p)
		if b.left == 0 {
			return n, io.EOF
		}
		return n, err
	case untilClose:
		return b.r.Read(p)
	}
	return b.chunked(p)
}

// some reads at most what is left.
func (b *Body) some(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, unexpected(err)
}

// chunked reads the data of one or more chunks: all that fits and is buffered.
func (b *Body) chunked(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if n > 0 && b.r.Buffered() == 0 {
			return n, nil
		}
		switch b.kind {
		case chunkSize:
			if err := b.nextChunk(); err != nil {
				return n, err
			}
		case chunkData:
			m, err := b.some(p[n:])
			n += m
			if err != nil {
				return n, err
			}
			if b.left == 0 {
				b.kind = chunkEnd
			}
		case chunkEnd:
			line, err := b.r.line(1, ErrChunk)
			if err != nil {
				return n, asChunk(err)
			}
			if len(line) > 0 {
				return n, ErrChunk
			}
			b.kind = chunkSize
		}
	}
	return n, nil
}

func (b *Body) nextChunk() error {
	line, err := b.r.line(maxChunk, ErrChunk)
	if err != nil {
		return asChunk(err)
	}
	if b.left, err = parseSize(line); err != nil {
		return err
	}
	b.kind = chunkData
	if b.left == 0 {
		return b.trailer()
	}
	return nil
}

func asChunk(err error) error {
	if err == ErrBareLF {
		return ErrChunk
	}
	return err
}

// parseSize reads a chunk's size. Extensions mean nothing to us and end here,
// but control characters in them were used to smuggle.
func parseSize(line []byte) (int64, error) {
	var n int64
	digits := 0
	for ; digits < len(line); digits++ {
		d, ok := hex(line[digits])
		if !ok {
			break
		}
		if digits == 15 {
			return 0, ErrChunk
		}
		n = n<<4 | int64(d)
	}
	extension := trim(line[digits:])
	if digits == 0 || len(extension) > 0 && extension[0] != ';' {
		return 0, ErrChunk
	}
	for _, c := range extension {
		if c < ' ' && c != '\t' || c == 0x7f {
			return 0, ErrChunk
		}
	}
	return n, nil
}

func hex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// trailer reads the fields after the last chunk and returns io.EOF. Fields that
// a trailer must not carry (RFC 9110, 6.5.1) are dropped.
func (b *Body) trailer() error {
	size := 0
	for {
		line, err := b.r.line(maxTrailer, ErrTrailer)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return io.EOF
		}
		if size += len(line); size > maxTrailer || len(b.Trailers) == MaxFields {
			return ErrTrailer
		}
		field, err := parseField(append([]byte(nil), line...)) // the line is void at the next read
		if err != nil {
			return ErrTrailer
		}
		if field.Kind == Other {
			b.Trailers = append(b.Trailers, field)
		}
	}
}
