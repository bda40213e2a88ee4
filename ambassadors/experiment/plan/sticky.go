package plan

import (
	"fmt"
	"net/http"
	"strings"
)

// Sticky says what a user is known by.
type Sticky struct {
	By     By
	Header string // canonical; of ByHeader
}

// By is one of the ways to know a user.
type By uint8

// The ways to know a user.
const (
	ByCookie  By = iota // a cookie of ours, given to who has none
	ByAddress           // the client's address, as trusted proxies tell it
	ByHeader            // a header field that something in front of us sets
)

func (s Sticky) String() string {
	switch s.By {
	case ByAddress:
		return "client-address"
	case ByHeader:
		return "header:" + s.Header
	}
	return "cookie"
}

func parseSticky(text string) (Sticky, error) {
	name, isHeader := strings.CutPrefix(text, "header:")
	switch {
	case text == "" || text == "cookie":
		return Sticky{By: ByCookie}, nil
	case text == "client-address":
		return Sticky{By: ByAddress}, nil
	case isHeader && token(name):
		return Sticky{By: ByHeader, Header: http.CanonicalHeaderKey(name)}, nil
	}
	return Sticky{}, fmt.Errorf("sticky %q: want cookie, client-address or header:<name of a field>", text)
}

// token accepts what RFC 9110, 5.6.2, does.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		alnum := c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= 100
}
