package limit

import (
	"fmt"
	"net/netip"
	"strings"
)

// The bounds of X-Forwarded-For: what is left of them is not looked at.
const (
	maxForwarded = 32  // addresses
	maxAddress   = 128 // bytes of one, with port and brackets
)

// Proxies are the peers whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// UnmarshalText reads networks and addresses separated by commas.
func (p *Proxies) UnmarshalText(text []byte) error {
	*p = nil
	for item := range strings.SplitSeq(string(text), ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			addr, errAddr := netip.ParseAddr(item)
			if errAddr != nil {
				return fmt.Errorf("%q is neither a network such as 10.0.0.0/8 nor an address", item)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if a := prefix.Addr(); a.Is4In6() {
			if prefix.Bits() < 96 {
				return fmt.Errorf("%q covers more than the mapped IPv4 addresses", item)
			}
			prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (p Proxies) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String writes the networks separated by commas.
func (p Proxies) String() string {
	items := make([]string, len(p))
	for i, prefix := range p {
		items[i] = prefix.String()
	}
	return strings.Join(items, ",")
}

// Trusts tells whether an address is that of a proxy.
func (p Proxies) Trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// Client is the address a request comes from: the peer, unless that is a trusted proxy; then the rightmost
// address of X-Forwarded-For that is not one. Each proxy appends whom it was called by, so that everything
// left of the first untrusted address is what a client says of itself.
//
// forwarded are the field's lines in order. At something that is no address, and after 32 of them, the
// search ends with the last address found: a proxy that forwards garbage is accountable for it.
func (p Proxies) Client(peer netip.Addr, forwarded ...string) netip.Addr {
	client := peer.Unmap().WithZone("")
	if !p.Trusts(client) {
		return client
	}
	seen := 0
	for i := len(forwarded) - 1; i >= 0; i-- {
		for rest, more := forwarded[i], true; more; {
			var item string
			if at := strings.LastIndexByte(rest, ','); at >= 0 {
				rest, item = rest[:at], rest[at+1:]
			} else {
				rest, item, more = "", rest, false
			}
			if item = strings.Trim(item, " \t"); item == "" {
				if seen++; seen > maxForwarded {
					return client
				}
				continue // an empty list element (RFC 9110, 5.6.1)
			}
			addr, ok := address(item)
			if seen++; !ok || seen > maxForwarded {
				return client
			}
			if client = addr; !p.Trusts(addr) {
				return client
			}
		}
	}
	return client
}

// address reads an address as proxies write it: bare, with a port, IPv6 in brackets.
func address(s string) (netip.Addr, bool) {
	if len(s) > maxAddress {
		return netip.Addr{}, false
	}
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 || end+1 < len(s) && s[end+1] != ':' {
			return netip.Addr{}, false
		}
		s = s[1:end]
	} else if colon := strings.IndexByte(s, ':'); colon >= 0 && strings.IndexByte(s[colon+1:], ':') < 0 {
		s = s[:colon] // IPv4 with a port: an IPv6 address has two colons or more
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}

// Identifier tells whom a request is counted for.
type Identifier struct {
	Proxies Proxies
	Tokens  *Verifier // nil: nobody is logged in
	Cookie  string    // the cookie that may carry the token, beside Authorization: Bearer
}

// Identify takes the address of the connection and the fields X-Forwarded-For (several lines joined by
// commas), Authorization and Cookie, empty where the request has none. A token that is forged, expired or
// for another audience makes no login: its request is counted for the address.
func (i *Identifier) Identify(peer netip.Addr, forwarded, authorization, cookie string) Identity {
	if who, ok := i.Login(authorization, cookie); ok {
		return who
	}
	if forwarded == "" {
		return OfAddress(peer)
	}
	return OfAddress(i.Proxies.Client(peer, forwarded))
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
