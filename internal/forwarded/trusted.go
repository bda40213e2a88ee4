// Package forwarded decides whose word about a client's address counts: a peer on the list of trusted
// proxies may say for whom it speaks (X-Forwarded-For); anybody else speaks for itself.
package forwarded

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// The bounds of X-Forwarded-For: what is left of them is not looked at.
const (
	maxForwarded = 32  // addresses
	maxAddress   = 128 // bytes of one, with port and brackets
)

// Trusted are the proxies whose X-Forwarded-* fields are believed. The zero value trusts nobody.
type Trusted []netip.Prefix

// UnmarshalText reads networks and addresses separated by commas.
func (t *Trusted) UnmarshalText(text []byte) error {
	*t = nil
	var wrong []error
	for item := range strings.SplitSeq(string(text), ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			addr, errAddr := netip.ParseAddr(item)
			if errAddr != nil {
				wrong = append(wrong, fmt.Errorf("%q is neither a network such as 10.0.0.0/8 nor an address", item))
				continue
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if a := prefix.Addr(); a.Is4In6() {
			if prefix.Bits() < 96 {
				wrong = append(wrong, fmt.Errorf("%q covers more than the mapped IPv4 addresses", item))
				continue
			}
			prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
		}
		*t = append(*t, prefix.Masked())
	}
	return errors.Join(wrong...)
}

// MarshalText writes what UnmarshalText reads.
func (t Trusted) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// String writes the networks separated by commas.
func (t Trusted) String() string {
	items := make([]string, len(t))
	for i, prefix := range t {
		items[i] = prefix.String()
	}
	return strings.Join(items, ",")
}

// Trusts tells whether an address is that of a proxy.
func (t Trusted) Trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, prefix := range t {
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
func (t Trusted) Client(peer netip.Addr, forwarded ...string) netip.Addr {
	client := peer.Unmap().WithZone("")
	if !t.Trusts(client) {
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
			if client = addr; !t.Trusts(addr) {
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
