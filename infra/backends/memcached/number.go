package memcached

import "strconv"

// parseUint reads a number as memcached does: spaces before it, a plus sign and
// whatever follows a space are let through.
func parseUint(b []byte, bits int) (uint64, bool) {
	n, err := strconv.ParseUint(string(number(b)), 10, bits)
	return n, err == nil
}

func parseInt(b []byte) (int32, bool) {
	n, err := strconv.ParseInt(string(number(b)), 10, 32)
	return int32(n), err == nil
}

func number(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for i, c := range b {
		if isSpace(c) {
			b = b[:i]
			break
		}
	}
	if len(b) > 1 && b[0] == '+' && b[1] != '+' && b[1] != '-' {
		b = b[1:]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
