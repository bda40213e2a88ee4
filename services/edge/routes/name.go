package routes

import "strings"

// HostName brings the value of a Host field into the form that names are
// compared in: without port and final dot, in lower case. It returns false when
// the value cannot be a host.
func HostName(field string) (string, bool) {
	host := field
	if strings.HasPrefix(field, "[") { // an IPv6 literal
		end := strings.IndexByte(field, ']')
		if end < 0 {
			return "", false
		}
		host = field[:end+1]
		if !port(field[end+1:]) || !only(host[1:end], isHex) {
			return "", false
		}
		return lower(host), true
	}
	if colon := strings.IndexByte(field, ':'); colon >= 0 {
		host = field[:colon]
		if !port(field[colon:]) {
			return "", false
		}
	}
	host = strings.TrimSuffix(host, ".")
	if len(host) > 253 || !only(host, isName) || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") || strings.Contains(host, "..") {
		return "", false
	}
	return lower(host), true
}

// port accepts nothing, or a colon and a number.
func port(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > 6 {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func only(s string, allowed func(byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return s != ""
}

func isName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_'
}

func isHex(c byte) bool {
	return 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || '0' <= c && c <= '9' || c == ':' || c == '.'
}

// lower is strings.ToLower for ASCII, which allocates only when it must.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// Comparable brings the path of a request into the form that routes are
// compared in: without percent-encoding where none is needed, so that /%61 is
// /a; %2F and other reserved characters stay, because they mean something else
// encoded. It returns false for a path that is not what it seems: one with dot
// segments, plain or encoded, which every client resolves before it asks
// (RFC 3986, 6.2.2.3), or with a broken percent-encoding.
//
// The request is forwarded with the path that it came with.
func Comparable(path string) (string, bool) {
	if strings.IndexByte(path, '%') >= 0 {
		var ok bool
		if path, ok = unescape(path); !ok {
			return "", false
		}
	}
	return path, !hasDots(path)
}

// hasDots finds "." and ".." segments.
func hasDots(path string) bool {
	for i := 0; ; i++ {
		next := strings.Index(path[i:], "/.")
		if next < 0 {
			return false
		}
		i += next
		rest := strings.TrimPrefix(path[i+2:], ".")
		if rest == "" || rest[0] == '/' {
			return true
		}
	}
}

// unescape decodes unreserved characters.
func unescape(path string) (string, bool) {
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		if i+2 >= len(path) {
			return "", false
		}
		high, ok1 := unhex(path[i+1])
		low, ok2 := unhex(path[i+2])
		if !ok1 || !ok2 {
			return "", false
		}
		if c := high<<4 | low; isName(c) || c == '~' {
			b.WriteByte(c)
		} else {
			b.WriteString(strings.ToUpper(path[i : i+3]))
		}
		i += 2
	}
	return b.String(), true
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
