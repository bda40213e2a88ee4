package wire

import (
	"bytes"
	"slices"
)

// AppendMiss appends the answer that says that mg found nothing.
func (c *Command) AppendMiss(b []byte) []byte {
	b = append(b, "EN"...)
	for _, word := range c.Args {
		switch word[0] {
		case 'O':
			b = append(append(b, ' '), word...)
		case 'k':
			b = append(append(b, " k"...), c.Word...)
			if c.Flags.Has("b") {
				b = append(b, " b"...)
			}
		}
	}
	return append(b, "\r\n"...)
}

// AppendEffect appends the line of a request that does on another server what a
// write has done on the first: without its condition where there is one, and as it
// is where it changes a value that is there.
func (c *Command) AppendEffect(b []byte) []byte {
	switch {
	case c.Verb == Store && len(c.Args) > 3, string(c.Name) == "add", string(c.Name) == "replace":
		b = append(append(b, "set "...), c.Key...)
		for _, arg := range c.Args[:3] {
			b = append(append(b, ' '), arg...)
		}
		return append(b, "\r\n"...)
	case c.Verb == MetaStore && c.extends():
		return c.without(b, "CI")
	case c.Verb == MetaStore:
		return c.without(b, "CIM")
	case c.Verb == MetaDelete, c.Verb == MetaArithmetic:
		return c.without(b, "C")
	}
	return append(b, c.Line...)
}

// extends tells whether ms appends or prepends.
func (c *Command) extends() bool {
	for _, word := range c.Args {
		if word[0] == 'M' && len(word) == 2 {
			return word[1] == 'A' || word[1] == 'P'
		}
	}
	return false
}

// Deletes tells whether the command is to leave nothing under its key, or nothing
// that counts as fresh.
func (c *Command) Deletes() bool { return c.Verb == MetaDelete || string(c.Name) == "delete" }

// without appends the line of a meta command without some of its flags.
func (c *Command) without(b []byte, letters string) []byte {
	b = append(append(append(b, c.Name...), ' '), c.Word...)
	if c.Verb == MetaStore {
		b = append(append(b, ' '), c.Size...)
	}
	for _, word := range c.Args {
		if !slices.Contains([]byte(letters), word[0]) {
			b = append(append(b, ' '), word...)
		}
	}
	return append(b, "\r\n"...)
}

// Done tells whether an answer says that a write was done.
func Done(verb Verb, answer []byte) bool {
	switch verb {
	case Store:
		return bytes.HasPrefix(answer, []byte("STORED"))
	case Change:
		return bytes.HasPrefix(answer, []byte("DELETED")) || bytes.HasPrefix(answer, []byte("TOUCHED")) || answer[0] >= '0' && answer[0] <= '9'
	}
	return bytes.HasPrefix(answer, []byte("HD")) || bytes.HasPrefix(answer, []byte("VA"))
}

// Absent tells whether an answer says that there was nothing under the key.
func Absent(answer []byte) bool {
	return bytes.HasPrefix(answer, []byte("NOT_FOUND")) || bytes.HasPrefix(answer, []byte("NF"))
}

// Agree tells whether another answer than the first says that the same was done.
func Agree(verb Verb, first, other []byte) bool {
	if verb == Change || verb == MetaArithmetic && bytes.HasPrefix(first, va) {
		return bytes.Equal(block(first), block(other))
	}
	return Done(verb, other)
}

// block is what follows the first line of an answer, or the line.
func block(answer []byte) []byte {
	if _, after, found := bytes.Cut(answer, []byte{'\n'}); found && len(after) > 0 {
		return after
	}
	return answer
}
