package cache

import (
	"crypto/rand"
	"strings"

	"github.com/flotilla-dev/flotilla/services/cache/policy"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// maxSession bounds a session id that a client brings.
const maxSession = 128

// session returns the id that picks the replica. A request that brings none is given one: the replica sees
// it as if the client had sent it, and the client gets it by Set-Cookie, so that its next request is routed
// to the same replica whichever cache it comes through.
func (x *exchange) session(h rfc9111.Header) (rfc9111.Header, string) {
	name := x.route.Session
	if id := policy.Cookie(h, name); validSession(id) {
		return h, strings.Clone(id)
	}
	id := rand.Text()
	h = withCookie(h, name, id)
	x.extra = append(x.extra, rfc9111.Field{Name: "Set-Cookie", Value: name + "=" + id + "; Path=/; Secure; HttpOnly; SameSite=Lax"})
	return h, id
}

// validSession accepts what a session id may look like; anything else is replaced.
func validSession(id string) bool {
	for i := range len(id) {
		c := id[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~+/=", c) >= 0) {
			return false
		}
	}
	return id != "" && len(id) <= maxSession
}

// withCookie sets a cookie of a request, in the place of one with the same name.
func withCookie(h rfc9111.Header, name, value string) rfc9111.Header {
	var pairs []string
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Cookie") {
			continue
		}
		for _, pair := range strings.Split(f.Value, ";") {
			pair = strings.TrimSpace(pair)
			if key, _, _ := strings.Cut(pair, "="); pair != "" && key != name {
				pairs = append(pairs, pair)
			}
		}
	}
	return h.Set("Cookie", strings.Join(append(pairs, name+"="+value), "; "))
}
