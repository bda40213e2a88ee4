package edge

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
)

func FuzzOriginNeverBelievesTheClient(f *testing.F) {
	f.Add("198.51.100.7, 10.1.1.1")
	f.Add("forged, ::1, [2001:db8::1]:80")
	f.Add(",,, ,")
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	p := newPeer(netip.MustParseAddr("10.0.0.1"), trusted)
	f.Fuzz(func(t *testing.T, list string) {
		client, chain := origin(list, p, trusted)
		if _, err := netip.ParseAddr(client); err != nil {
			t.Fatalf("%q: client %q is no address", list, client)
		}
		parts := strings.Split(chain, ", ")
		if parts[0] != client || parts[len(parts)-1] != p.text {
			t.Errorf("%q: chain %q does not lead from %s to the peer", list, chain, client)
		}
		for _, middle := range parts[1:] { // all behind the client vouch for what is before them
			if addr, err := netip.ParseAddr(middle); err != nil || !within(addr, trusted) {
				t.Errorf("%q: %q in the chain is not trusted", list, middle)
			}
		}
	})
}

func FuzzQuote(f *testing.F) {
	f.Add([]byte("a\"\\\x00\xff\u2028é"))
	f.Fuzz(func(t *testing.T, s []byte) {
		if b := quote(nil, s); !jsonString(b) {
			t.Errorf("%q became %s", s, b)
		}
	})
}

func jsonString(b []byte) bool {
	var s string
	return json.Unmarshal(b, &s) == nil
}
