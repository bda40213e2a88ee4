package http1

import "strings"

func validHost(host string, mayBeEmpty bool) bool {
	if host == "" {
		return mayBeEmpty
	}
	if len(host) > 255+6 {
		return false
	}
	for i := range len(host) {
		c := host[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || strings.IndexByte("-._~:[]", c) >= 0
		if !ok {
			return false
		}
	}
	return true
}

func hasToken(list, token string) bool {
	for list != "" {
		var member string
		member, list, _ = strings.Cut(list, ",")
		if strings.EqualFold(strings.Trim(member, " \t"), token) {
			return true
		}
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// charSet marks bytes.
type charSet [256]bool

// tokenChars are the bytes of an RFC 9110 token.
var tokenChars = func() (set charSet) {
	for c := range 128 {
		b := byte(c)
		set[b] = b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || isDigit(b) || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
	}
	return set
}()

func isToken(s string) bool {
	for i := range len(s) {
		if !tokenChars[s[i]] {
			return false
		}
	}
	return s != ""
}
