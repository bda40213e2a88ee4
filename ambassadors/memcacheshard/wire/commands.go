package wire

import (
	"bytes"
	"io"
)

// Limits of what a client may send.
type Limits struct {
	Data int // bytes of a data block
	Line int // bytes of a line of keys; the lines of other commands have 2 KiB
}

// Commands finds commands in what a client sends.
type Commands struct {
	buffer
	limits Limits
	words  [][]byte
	key    []byte // decoded from base64
	skip   int    // bytes of a data block that nobody wants
	toLine bool   // what comes until the next line end is no command
}

const (
	maxLine = 2 << 10 // of a command with one key, as in memcached
	maxKey  = 250
)

// NewCommands returns a reader of commands.
func NewCommands(l Limits) *Commands { return &Commands{buffer: buffer{size: 4 << 10}, limits: l} }

// Fill reads once from the client.
func (c *Commands) Fill(in io.Reader) (int, error) { return c.fill(in) }

// Buffered is how many bytes are held for this client.
func (c *Commands) Buffered() int { return cap(c.b) }

// Partial tells whether a command has begun and not ended.
func (c *Commands) Partial() bool { return len(c.b) > c.start || c.skip > 0 }

// A Flaw is what is wrong with a client that cannot be understood any more,
// because nobody knows where its next command begins. It is an answer.
type Flaw struct{ Text string }

func (f *Flaw) Error() string { return f.Text }

// The answers of memcached to what it cannot take.
const (
	unknown     = "ERROR"
	badFormat   = "CLIENT_ERROR bad command line format"
	badExptime  = "CLIENT_ERROR invalid exptime argument"
	badDelta    = "CLIENT_ERROR invalid numeric delta argument"
	badChunk    = "CLIENT_ERROR bad data chunk"
	tooLarge    = "SERVER_ERROR object too large for cache"
	lineTooLong = "CLIENT_ERROR line too long"
	badLength   = "CLIENT_ERROR bad data length: the next command cannot be found"
)

// Next returns the next command that has come completely; ok is false when there
// is none. After an error, which is a *Flaw, nothing more can be read.
func (c *Commands) Next() (cmd Command, ok bool, err error) {
	if !c.skipped() || c.lacks(max(c.need, 1)) {
		return cmd, false, nil
	}
	n := c.end(0)
	if n == 0 {
		c.need = 0
		return cmd, false, c.tooLong()
	}
	line := c.b[c.start : c.start+n]
	if n > maxLine && !manyKeys(line) {
		return cmd, false, &Flaw{lineTooLong}
	}
	cmd, size, err := c.parse(line)
	switch {
	case err != nil:
		return cmd, false, err
	case size < 0:
	case cmd.Verb == Refused: // with a data block that nobody wants
		c.skip = size + 2
	case c.lacks(n + size + 2):
		return cmd, false, nil // and is parsed again when the data has come
	default:
		c.data(&cmd, n, size)
		n += size + 2
	}
	if cmd.Quiet {
		cmd.unmute()
	}
	c.start += n
	c.need = 0
	return cmd, true, nil
}

// skipped drops what is to be dropped, and tells whether all of it has come.
func (c *Commands) skipped() bool {
	n := min(c.skip, len(c.b)-c.start)
	c.start += n
	c.skip -= n
	if c.skip == 0 && c.toLine {
		n := c.end(0)
		c.toLine = n == 0
		if c.toLine {
			n = len(c.b) - c.start
		}
		c.start += n
	}
	return c.skip == 0 && !c.toLine
}

// tooLong bounds a line whose end has not come.
func (c *Commands) tooLong() error {
	have := c.b[c.start:]
	if len(have) > c.limits.Line || len(have) > maxLine && !manyKeys(have) {
		return &Flaw{lineTooLong}
	}
	return nil
}

func manyKeys(line []byte) bool {
	name, _, _ := bytes.Cut(line, []byte{' '})
	return retrieves(string(name))
}

func retrieves(name string) bool {
	return name == "get" || name == "gets" || name == "gat" || name == "gats"
}

// data completes a command with its data block.
func (c *Commands) data(cmd *Command, line, size int) {
	end := c.start + line + size + 2
	if c.b[end-2] != '\r' || c.b[end-1] != '\n' {
		// The rest of the line belongs to the data, whatever its length was said to
		// be: it is never executed.
		*cmd = Command{Verb: Refused, Refusal: badChunk, Quiet: cmd.Quiet && cmd.Verb == Store}
		c.toLine = c.b[end-1] != '\n'
		return
	}
	cmd.Data = c.b[end-size-2 : end : end]
}

// split finds the words of a line without its end.
func (c *Commands) split(line []byte) [][]byte {
	words := c.words[:0]
	for len(line) > 0 {
		at := bytes.IndexByte(line, ' ')
		if at < 0 {
			words = append(words, line)
			break
		}
		if at > 0 {
			words = append(words, line[:at])
		}
		line = line[at+1:]
	}
	c.words = words
	if cap(words) > manyWords {
		c.words = nil
	}
	return words
}

// manyWords is from where on the memory for them is given back.
const manyWords = 1 << 10
