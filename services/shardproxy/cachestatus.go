package shardproxy

import "bytes"

// hit tells whether the cache that is the nearest to us had the answer, by what it says in
// Cache-Status (RFC 9211): the last member of the list is its, and has the parameter hit.
func hit(status []byte) bool {
	found, quoted := false, false
	parameter, start := false, 0 // status[start:] is being read, and whether it is a parameter
	end := func(at int) {
		found = found || parameter && string(bytes.TrimSpace(status[start:at])) == "hit"
		start = at + 1
	}
	for i := 0; i < len(status); i++ {
		switch c := status[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';':
			end(i)
			parameter = true
		case c == ',':
			start, found, parameter = i+1, false, false
		}
	}
	end(len(status))
	return found
}
