package redismetrics

import (
	"bytes"
	"errors"
	"net"
	"strconv"
)

// guard is a connection that ends when its server announces or sends more than
// any Redis does: the client believes every length that it reads, and whoever
// answers at an address need not be a Redis.
type guard struct {
	net.Conn
	framing framing
}

// The bounds of an answer.
const (
	mostBytes    = 64 << 20 // of all answers on a connection
	mostBulk     = 16 << 20 // of one string
	mostElements = 1 << 20  // of one list
)

var errAnswer = errors.New("the answer is none of a Redis, or too large")

// Read passes on what is within the bounds.
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if !g.framing.check(p[:n]) {
		return 0, errAnswer
	}
	return n, err
}

// framing follows answers of RESP 2 and 3: lines, of which some announce a string.
//
//	*2\r\n  $3\r\nfoo\r\n  :42\r\n
type framing struct {
	total  int
	body   int    // bytes of a string, with its line end, still to come
	header []byte // of the line so far: enough for every length
}

// longest is how many bytes of a line can matter: a type and a length.
const longest = 32

// check tells whether the bytes are within the bounds.
func (f *framing) check(p []byte) bool {
	if f.total += len(p); f.total > mostBytes {
		return false
	}
	for len(p) > 0 {
		if f.body > 0 {
			skip := min(f.body, len(p))
			f.body -= skip
			p = p[skip:]
			continue
		}
		end := bytes.IndexByte(p, '\n')
		line := p
		if end >= 0 {
			line = p[:end]
		}
		f.header = append(f.header, line[:min(len(line), longest-len(f.header))]...)
		if end < 0 {
			return true
		}
		p = p[end+1:]
		if !f.line() {
			return false
		}
		f.header = f.header[:0]
	}
	return true
}

// line takes a line that is complete.
func (f *framing) line() bool {
	header := bytes.TrimSuffix(f.header, []byte{'\r'})
	if len(header) == 0 {
		return false
	}
	switch header[0] {
	case '$', '=', '!':
		n, ok := length(header[1:], mostBulk)
		f.body = n + len("\r\n")
		if n < 0 {
			f.body = 0 // nothing
		}
		return ok
	case '*', '~', '>', '%', '|':
		_, ok := length(header[1:], mostElements)
		return ok
	case '+', '-', ':', '_', '#', ',', '(':
		return true
	}
	return false
}

func length(digits []byte, most int) (int, bool) {
	n, err := strconv.Atoi(string(digits))
	return n, err == nil && n >= -1 && n <= most
}
