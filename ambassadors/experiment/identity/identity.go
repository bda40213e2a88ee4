// Package identity says who a request comes from, as far as experiments need to know: by a cookie of ours,
// by a header field, or by the client's address.
//
// It is no security boundary. Whoever forges a cookie chooses an arm, and sees what some users see anyway.
package identity

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/internal/forwarded"
)

// maxHeader bounds an identity from a header field: longer is none.
const maxHeader = 256

// The form of a value of our cookie: 128 random bits or more in base32, as rand.Text gives.
const (
	minCookie = 26
	maxCookie = 64
)

// lifetime of a cookie, renewed never: an experiment is over by then.
const lifetime = 365 * 24 * time.Hour

// Source knows where identities are found.
type Source struct {
	Cookie  string // its name
	Trusted forwarded.Trusted
}

// An ID is who a request comes from.
type ID struct {
	Text   string // "": nobody can be told; production serves it
	Minted bool   // made for this request: the answer must carry Cookie
}

// Of finds the identity of a request.
func (s Source) Of(r *http.Request, sticky plan.Sticky) ID {
	switch sticky.By {
	case plan.ByAddress:
		return ID{Text: s.address(r)}
	case plan.ByHeader:
		return ID{Text: header(r.Header[sticky.Header])}
	}
	for _, c := range r.CookiesNamed(s.Cookie) {
		if valid(c.Value) {
			return ID{Text: c.Value}
		}
	}
	return ID{Text: rand.Text(), Minted: true}
}

// address is that of the client, in one form.
func (s Source) address(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return s.Trusted.Client(peer.Addr(), r.Header["X-Forwarded-For"]...).String()
}

// header accepts exactly one value: of two, one may be the client's own saying.
func header(values []string) string {
	if len(values) != 1 {
		return ""
	}
	value := strings.TrimSpace(values[0])
	if len(value) > maxHeader || strings.ContainsRune(value, 0) {
		return ""
	}
	return value
}

// valid tells whether a cookie's value may be one of ours.
func valid(value string) bool {
	if len(value) < minCookie || len(value) > maxCookie {
		return false
	}
	for i := range len(value) {
		if c := value[i]; (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// SetCookie is the value of the Set-Cookie field that gives an identity to a browser. A name that begins
// with __Host- obliges to Secure, no domain and the path / (RFC 6265bis).
func (s Source) SetCookie(id ID) string {
	c := http.Cookie{Name: s.Cookie, Value: id.Text, Path: "/", MaxAge: int(lifetime / time.Second), HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(s.Cookie, "__Host-") || strings.HasPrefix(s.Cookie, "__Secure-")}
	return c.String()
}
