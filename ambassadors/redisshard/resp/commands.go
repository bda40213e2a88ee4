package resp

import (
	"bytes"
	"io"
)

// Command is a command of a client. Both fields are parts of the buffer of
// Commands, and are good until its next Fill.
type Command struct {
	Raw  []byte   // as it came; of a line of words, the array that means the same
	Args [][]byte // its name and arguments, at least one
}

// Commands finds commands in what a client sends.
type Commands struct {
	buffer
	limit int
	left  int    // arguments to come; -1: the header is to come
	body  int    // bytes of the present argument to come; -1: its header is to come
	spans []span // arguments that have come, from start on
	args  [][]byte
	words []byte // the last line of words, as an array
}

type span struct{ from, to int }

// Redis's own bound on the arguments of a command.
const maxArguments = 1 << 20

// manyArguments is from where on the memory for them is given back.
const manyArguments = 1 << 10

// NewCommands returns a reader of commands of at most limit bytes.
func NewCommands(limit int) *Commands {
	return &Commands{buffer: buffer{size: 4 << 10}, limit: limit, left: -1, body: -1}
}

// Fill reads once from the client.
func (c *Commands) Fill(in io.Reader) (int, error) { return c.fill(in) }

// Buffered is how many bytes are held.
func (c *Commands) Buffered() int { return cap(c.b) }

// Partial tells whether a command has begun and not ended.
func (c *Commands) Partial() bool { return len(c.b) > c.start }

// Next returns the next command that has come completely; ok is false when there
// is none. After an error nothing more can be read.
func (c *Commands) Next() (cmd Command, ok bool, err error) {
	for {
		if c.left < 0 {
			done, words, err := c.begin()
			if err != nil || !done {
				return Command{}, false, err
			}
			if words {
				return Command{Raw: c.words, Args: c.args}, true, nil
			}
			continue // an empty array is no command, but allowed
		}
		done, err := c.arguments()
		if err != nil || !done {
			return Command{}, false, err
		}
		return c.take(), true, nil
	}
}

// begin reads the header of a command, or a whole line of words.
func (c *Commands) begin() (done, words bool, err error) {
	c.at = c.start
	if c.start == len(c.b) {
		return false, false, nil
	}
	if c.b[c.start] != '*' {
		return c.inline()
	}
	line, err := c.line()
	if line == nil {
		return false, false, err
	}
	n, ok := integer(line[1:])
	if !ok || n > maxArguments {
		return false, false, malformed("invalid multibulk length")
	}
	if n <= 0 {
		c.start = c.at
		return true, false, nil
	}
	if cap(c.spans) > manyArguments {
		c.spans, c.args = nil, nil
	}
	c.left, c.spans = n, c.spans[:0]
	return true, false, nil
}

// arguments reads on until all arguments have come.
func (c *Commands) arguments() (bool, error) {
	for c.left > 0 {
		if c.body < 0 {
			line, err := c.line()
			if line == nil {
				return false, err
			}
			if len(line) == 0 || line[0] != '$' {
				return false, malformed("expected '$'")
			}
			n, ok := integer(line[1:])
			if !ok || n < 0 {
				return false, malformed("invalid bulk length")
			}
			if c.at-c.start+n+2 > c.limit {
				return false, errTooLarge
			}
			c.body = n
			c.spans = append(c.spans, span{c.at - c.start, c.at - c.start + n})
		}
		if done, err := c.skip(&c.body); !done {
			return false, err
		}
		c.body = -1
		c.left--
	}
	return true, nil
}

// take returns the command that has come, and moves past it.
func (c *Commands) take() Command {
	raw := c.b[c.start:c.at:c.at]
	c.args = c.args[:0]
	for _, s := range c.spans {
		c.args = append(c.args, raw[s.from:s.to:s.to])
	}
	c.start, c.left = c.at, -1
	return Command{Raw: raw, Args: c.args}
}

// inline reads a line of words, for people with a terminal.
func (c *Commands) inline() (done, words bool, err error) {
	end := bytes.IndexByte(c.b[c.start:], '\n')
	if end > maxLine || end < 0 && len(c.b)-c.start > maxLine {
		return false, false, malformed("too big inline request")
	}
	if end < 0 {
		return false, false, nil
	}
	line := c.b[c.start : c.start+end]
	c.start += end + 1
	if bytes.ContainsAny(line, `"'`) {
		return false, false, malformed("quotes are not understood in a line of words: send an array")
	}
	c.args = append(c.args[:0], bytes.Fields(line)...)
	if len(c.args) == 0 {
		return true, false, nil
	}
	c.words = AppendCommand(c.words[:0], c.args...)
	return true, true, nil
}
