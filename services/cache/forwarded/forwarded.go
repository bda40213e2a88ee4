// Package forwarded decides whose word about a client's address counts: a peer on the list of trusted
// proxies may say for whom it speaks (X-Forwarded-For); anybody else speaks for itself.
package forwarded

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// Trusted is the set of networks whose X-Forwarded-* fields are believed. The zero value trusts nobody.
type Trusted []netip.Prefix

// UnmarshalText parses a comma-separated list of networks (10.0.0.0/8) and addresses.
func (t *Trusted) UnmarshalText(text []byte) error {
	*t = nil
	var wrong []string
	for _, one := range strings.Split(string(text), ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(one)
		if err != nil {
			addr, addrErr := netip.ParseAddr(one)
			if addrErr != nil {
				wrong = append(wrong, fmt.Sprintf("%q", one))
				continue
			}
			prefix = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		}
		*t = append(*t, prefix.Masked())
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s: want networks such as 10.0.0.0/8 or addresses", strings.Join(wrong, ", "))
	}
	return nil
}

// MarshalText is the inverse.
func (t Trusted) MarshalText() ([]byte, error) {
	parts := make([]string, len(t))
	for i, p := range t {
		parts[i] = p.String()
	}
	return []byte(strings.Join(parts, ",")), nil
}

// Contains reports whether the address belongs to a trusted proxy.
func (t Trusted) Contains(addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, p := range t {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// maxHops bounds how far back a list is believed.
const maxHops = 16

// Client returns the address of the client: going back from the peer, the first address that is not a
// trusted proxy. What stands to the left of it was written by that client and proves nothing. A list that
// cannot be parsed ends the walk at the last address that could.
func (t Trusted) Client(peer netip.Addr, list string) netip.Addr {
	addr := peer.Unmap()
	for hops := 0; hops < maxHops && list != "" && t.Contains(addr); hops++ {
		last := list
		if i := strings.LastIndexByte(list, ','); i >= 0 {
			list, last = list[:i], list[i+1:]
		} else {
			list = ""
		}
		next, ok := parseHop(strings.Trim(last, " \t"))
		if !ok {
			break
		}
		addr = next
	}
	return addr
}

// parseHop accepts an address, with a port and brackets or without.
func parseHop(s string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		if addr, err := netip.ParseAddr(s[1 : len(s)-1]); err == nil {
			return addr.Unmap().WithZone(""), true
		}
	}
	return netip.Addr{}, false
}

// spoofable are the fields that only a trusted proxy may set.
var spoofable = [...]string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP", "Forwarded"}

// Outgoing rewrites the forwarding fields of a request that goes upstream. A trusted peer's are kept and
// the peer is added to X-Forwarded-For; anybody else's are replaced by what we see ourselves.
func (t Trusted) Outgoing(h rfc9111.Header, peer netip.Addr, host string, tls bool) rfc9111.Header {
	peer = peer.Unmap()
	proto := "http"
	if tls {
		proto = "https"
	}
	if t.Contains(peer) {
		list := h.Joined("X-Forwarded-For")
		if list != "" {
			list += ", "
		}
		h = h.Set("X-Forwarded-For", list+peer.String())
		if !h.Has("X-Forwarded-Proto") {
			h = append(h, rfc9111.Field{Name: "X-Forwarded-Proto", Value: proto})
		}
		if !h.Has("X-Forwarded-Host") {
			h = append(h, rfc9111.Field{Name: "X-Forwarded-Host", Value: host})
		}
		return h
	}
	for _, name := range spoofable {
		h = h.Del(name)
	}
	return append(h, rfc9111.Field{Name: "X-Forwarded-For", Value: peer.String()},
		rfc9111.Field{Name: "X-Forwarded-Proto", Value: proto}, rfc9111.Field{Name: "X-Forwarded-Host", Value: host})
}
