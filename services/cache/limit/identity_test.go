package limit

import (
	"net/netip"
	"testing"
)

func TestAnIPv6ClientIsItsNetwork(t *testing.T) {
	same := func(a, b string) bool {
		return OfAddress(netip.MustParseAddr(a)) == OfAddress(netip.MustParseAddr(b))
	}
	if !same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9") {
		t.Error("two addresses of one /64 are two clients")
	}
	if same("2001:db8:1:2::1", "2001:db8:1:3::1") || same("192.0.2.1", "192.0.2.2") || same("::1", "0.0.0.0") {
		t.Error("two clients are one")
	}
	for text, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8:1:2::1": "2001:db8:1:2::/64"} {
		if got := OfAddress(netip.MustParseAddr(text)).String(); got != want {
			t.Errorf("%s is logged as %s, want %s", text, got, want)
		}
	}
}
