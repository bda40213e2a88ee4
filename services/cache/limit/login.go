package limit

import (
	"net/netip"
	"strings"
)

// Identifier tells whom a request is counted for.
type Identifier struct {
	Tokens *Verifier // nil: nobody is logged in
	Cookie string    // the cookie that may carry the token, beside Authorization: Bearer
}

// Identify takes the address of the client and the fields Authorization and Cookie, empty where the request
// has none. A token that is forged, expired or for another audience makes no login: its request is counted
// for the address.
func (i *Identifier) Identify(client netip.Addr, authorization, cookie string) Identity {
	if who, ok := i.Login(authorization, cookie); ok {
		return who
	}
	return OfAddress(client)
}

// Login is the identity of the valid token in one of these fields, if there is any.
func (i *Identifier) Login(authorization, cookie string) (Identity, bool) {
	if i.Tokens == nil {
		return Identity{}, false
	}
	if token := bearer(authorization); token != "" {
		if who, ok := i.Tokens.Login(token); ok {
			return who, true
		}
	}
	if token := cookieValue(cookie, i.Cookie); token != "" {
		return i.Tokens.Login(token)
	}
	return Identity{}, false
}

// bearer is the token of an Authorization field, or "".
func bearer(authorization string) string {
	const scheme = "bearer "
	if len(authorization) < len(scheme) || !strings.EqualFold(authorization[:len(scheme)], scheme) {
		return ""
	}
	return strings.Trim(authorization[len(scheme):], " ")
}

// cookieValue is the value of the first cookie of that name, or "".
func cookieValue(cookies, name string) string {
	if name == "" {
		return ""
	}
	for cookies != "" {
		var pair string
		pair, cookies, _ = strings.Cut(cookies, ";")
		if key, value, ok := strings.Cut(strings.TrimLeft(pair, " \t"), "="); ok && key == name {
			return strings.Trim(value, `" `)
		}
	}
	return ""
}
