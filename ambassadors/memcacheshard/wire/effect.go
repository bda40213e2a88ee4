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

// AppendEffect tells whether the outcome of a write depends on what a server
// holds, and appends the line of a request that does the same on another server
// once it was done: without the condition where there is one, and as it is where
// it changes a value that is there.
func (c *Command) AppendEffect(b []byte) (line []byte, conditional bool) {
	switch c.Verb {
	case Store:
		return c.storeEffect(b)
	case Change:
		return append(b, c.Line...), c.Name[0] == 'i' || c.Name[1] == 'e' && c.Name[2] == 'c' // incr, decr
	case MetaStore:
		mode := byte('S')
		for _, word := range c.Args {
			if word[0] == 'M' && len(word) == 2 {
				mode = word[1]
			}
		}
		if mode == 'A' || mode == 'P' {
			return c.without(b, "CI"), true
		}
		return c.without(b, "CIM"), mode != 'S' || c.Flags.Has("CI")
	case MetaDelete:
		return c.without(b, "C"), c.Flags.Has("C")
	case MetaArithmetic:
		return c.without(b, "C"), true
	}
	return append(b, c.Line...), false
}

func (c *Command) storeEffect(b []byte) ([]byte, bool) {
	switch string(c.Name) {
	case "set", "append", "prepend":
		return append(b, c.Line...), string(c.Name) != "set"
	}
	b = append(append(b, "set "...), c.Key...)
	for _, arg := range c.Args[:3] {
		b = append(append(b, ' '), arg...)
	}
	return append(b, "\r\n"...), true
}

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
