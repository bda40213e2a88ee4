package memcached

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// session is the conversation with one client. Answers gather in out and are
// sent when the next command has not arrived yet, so that a pipeline of commands
// costs a few writes.
type session struct {
	store *store
	in    *bufio.Reader
	out   []byte
	wire  io.Writer

	tokens [][]byte // of the current command line
	long   []byte   // a line that did not fit into the buffer of in
	mute   bool     // the client wants no answer to this command
}

const (
	bufferSize = 4 << 10  // also the longest line of commands that take one key
	maxLine    = 1 << 20  // of a get, which takes many
	maxKey     = 250      // of memcached
	flushSize  = 64 << 10 // answers are sent when there are so many bytes of them
)

// errQuit ends a session without a flaw.
var errQuit = errors.New("quit")

func newSession(s *store, conn io.ReadWriter) *session {
	c := &session{store: s, wire: conn}
	c.in = bufio.NewReaderSize(flushing{c, conn}, bufferSize)
	return c
}

// flushing sends the answers before it waits for more commands.
type flushing struct {
	session *session
	io.Reader
}

func (f flushing) Read(p []byte) (int, error) {
	if err := f.session.flush(); err != nil {
		return 0, err
	}
	return f.Reader.Read(p)
}

// run serves commands until the client leaves.
func (c *session) run() error {
	for {
		line, err := c.line()
		if err == nil {
			err = c.execute(line)
		}
		if err == nil && len(c.out) > flushSize {
			err = c.flush()
		}
		if err != nil {
			return errors.Join(err, c.flush())
		}
	}
}

func (c *session) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.wire.Write(c.out)
	c.out = c.out[:0]
	if cap(c.out) > 2*flushSize { // one large value must not be held by every idle client
		c.out = nil
	}
	return err
}

// line reads a command line, without its end.
func (c *session) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = c.longLine(line)
	}
	if err != nil {
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line) - 1; n > 0 && line[n] == '\r' {
		line = line[:n]
	}
	return line, nil
}

var errLine = errors.New("line too long")

// longLine reads on when the command is one that may take many keys.
func (c *session) longLine(start []byte) ([]byte, error) {
	if name, _, _ := bytes.Cut(start, []byte{' '}); !many(string(name)) {
		c.say("CLIENT_ERROR line too long")
		return nil, errLine
	}
	c.long = append(c.long[:0], start...)
	defer func() { c.long = nil }()
	for len(c.long) < maxLine {
		more, err := c.in.ReadSlice('\n')
		c.long = append(c.long, more...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return c.long, err
		}
	}
	c.say("CLIENT_ERROR line too long")
	return nil, errLine
}

func many(name string) bool {
	return name == "get" || name == "gets" || name == "gat" || name == "gats"
}

// split finds the words of a line.
func (c *session) split(line []byte) [][]byte {
	c.tokens = c.tokens[:0]
	for len(line) > 0 {
		word, rest, _ := bytes.Cut(line, []byte{' '})
		if len(word) > 0 {
			c.tokens = append(c.tokens, word)
		}
		line = rest
	}
	return c.tokens
}

// say answers with a line, unless the client wants none.
func (c *session) say(text string) {
	if !c.mute {
		c.out = append(append(c.out, text...), "\r\n"...)
	}
}

// fail answers with a line whether the client wants one or not.
func (c *session) fail(text string) {
	c.mute = false
	c.say(text)
}

// data reads the data block of a storage command. What is not terminated as it
// should be is no data, and told so; the session goes on after it.
func (c *session) data(n int) ([]byte, bool, error) {
	var block []byte
	if whole := n + 2; whole <= flushSize {
		block = make([]byte, whole)
		if _, err := io.ReadFull(c.in, block); err != nil {
			return nil, false, err
		}
	} else {
		// Room is made as data arrives: a length alone costs nothing.
		var b bytes.Buffer
		if _, err := io.CopyN(&b, c.in, int64(whole)); err != nil {
			return nil, false, err
		}
		block = bytes.Clone(b.Bytes())
	}
	if block[n] != '\r' || block[n+1] != '\n' {
		return nil, false, nil
	}
	return block[:n:n], true, nil
}

// skip passes over a data block that is not stored.
func (c *session) skip(n int) error {
	_, err := c.in.Discard(n + 2)
	return err
}
