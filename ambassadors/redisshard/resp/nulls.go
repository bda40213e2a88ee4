package resp

import "bytes"

// Nulls appends a reply of RESP2 as RESP3 has it: the null string and the null
// array become the one null. All else of RESP2 is RESP3 too.
func Nulls(b, reply []byte) []byte {
	for len(reply) > 0 {
		end := bytes.IndexByte(reply, '\n') + 1
		if end < 3 {
			return append(b, reply...) // no reply
		}
		n, _ := integer(reply[1 : end-2])
		switch kind := reply[0]; {
		case (kind == '$' || kind == '*') && n < 0:
			b = append(b, "_\r\n"...)
		case kind == '$':
			end = min(end+n+2, len(reply))
			b = append(b, reply[:end]...)
		default:
			b = append(b, reply[:end]...)
		}
		reply = reply[end:]
	}
	return b
}
