package edge

import (
	"net/netip"
	"strings"
)

// A peer is who opened the connection.
type peer struct {
	addr    netip.Addr
	text    string // of addr
	trusted bool   // a load balancer whose X-Forwarded-For is believed
}

func newPeer(addr netip.Addr, trusted []netip.Prefix) peer {
	addr = addr.Unmap().WithZone("")
	p := peer{addr: addr, text: addr.String()}
	p.trusted = within(addr, trusted)
	return p
}

func within(addr netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// origin finds the client in the X-Forwarded-For of a trusted proxy: the last
// address that is not a trusted one itself. What stands before it was written
// by the client or by somebody who need not be believed. It returns that
// address, and the part of the list from it on, in one form.
func origin(list string, p peer, trusted []netip.Prefix) (client, chain string) {
	client, chain = p.text, p.text
	for list != "" {
		var last string
		if comma := strings.LastIndexByte(list, ','); comma >= 0 {
			list, last = list[:comma], list[comma+1:]
		} else {
			list, last = "", list
		}
		addr, ok := parseForwarded(strings.TrimSpace(last))
		if !ok {
			return client, chain // whoever wrote this cannot be relied on for the rest
		}
		client = addr.String()
		chain = client + ", " + chain
		if !within(addr, trusted) {
			return client, chain
		}
	}
	return client, chain
}

// parseForwarded reads an address, with a port where some proxies add one.
func parseForwarded(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}
