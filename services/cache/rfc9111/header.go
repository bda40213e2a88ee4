package rfc9111

import "strings"

// Field is one header field line. Names compare without regard to case.
type Field struct {
	Name, Value string
}

// Header is the field lines of a message in the order received. It is small, so look-ups scan it.
type Header []Field

// Get returns the value of the first line with this name, or "".
func (h Header) Get(name string) string {
	for i := range h {
		if equalName(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// Has reports whether a line with this name exists, even an empty one.
func (h Header) Has(name string) bool {
	for i := range h {
		if equalName(h[i].Name, name) {
			return true
		}
	}
	return false
}

// Count returns the number of lines with this name.
func (h Header) Count(name string) int {
	n := 0
	for i := range h {
		if equalName(h[i].Name, name) {
			n++
		}
	}
	return n
}

// Joined returns all lines of the name combined with ", ", as RFC 9110 5.3 allows for list fields.
func (h Header) Joined(name string) string {
	first, more := "", false
	var all strings.Builder
	for i := range h {
		if !equalName(h[i].Name, name) {
			continue
		}
		switch {
		case !more && first == "":
			first = h[i].Value
		case !more:
			more = true
			all.WriteString(first)
			fallthrough
		default:
			all.WriteString(", ")
			all.WriteString(h[i].Value)
		}
	}
	if more {
		return all.String()
	}
	return first
}

// Set replaces every line of the name by one.
func (h Header) Set(name, value string) Header {
	return append(h.Del(name), Field{name, value})
}

// Del returns h without the lines of this name. The backing array is reused.
func (h Header) Del(name string) Header {
	kept := h[:0]
	for _, f := range h {
		if !equalName(f.Name, name) {
			kept = append(kept, f)
		}
	}
	return kept
}

// Clone copies the lines and their bytes, so that the copy outlives the buffer that h points into.
func (h Header) Clone() Header {
	c := make(Header, len(h))
	for i, f := range h {
		c[i] = Field{strings.Clone(f.Name), strings.Clone(f.Value)}
	}
	return c
}

// equalName compares field names; both are ASCII tokens.
func equalName(a, b string) bool {
	return len(a) == len(b) && (a == b || strings.EqualFold(a, b))
}

// hopByHop are the fields that belong to one connection (RFC 9110 7.6.1) or to the proxy that they were
// meant for (RFC 9111 3.1): never stored, never forwarded.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authentication-Info",
	"Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
}

// EndToEnd returns a copy of h without hop-by-hop fields and without those that Connection names.
func EndToEnd(h Header) Header {
	named := h.Joined("Connection")
	kept := make(Header, 0, len(h))
	for _, f := range h {
		if !isHopByHop(f.Name) && (named == "" || !listHas(named, f.Name)) {
			kept = append(kept, f)
		}
	}
	return kept
}

func isHopByHop(name string) bool {
	for _, n := range hopByHop {
		if equalName(n, name) {
			return true
		}
	}
	return false
}

// listHas reports whether a comma-separated list of tokens contains the token.
func listHas(list, token string) bool {
	for list != "" {
		var member string
		member, list, _ = strings.Cut(list, ",")
		if equalName(trimOWS(member), token) {
			return true
		}
	}
	return false
}

// trimOWS removes optional whitespace (space and tab only).
func trimOWS(s string) string {
	return strings.Trim(s, " \t")
}
