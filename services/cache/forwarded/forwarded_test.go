package forwarded

import (
	"net/netip"
	"testing"
)

func TestTheClientIsTheFirstUntrustedAddressFromTheRight(t *testing.T) {
	var trusted Trusted
	if err := trusted.UnmarshalText([]byte("10.0.0.0/8, 192.0.2.1,2001:db8::/32")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ peer, list, want string }{
		{"198.51.100.7", "6.6.6.6", "198.51.100.7"},
		{"10.1.1.1", "6.6.6.6", "6.6.6.6"},
		{"10.1.1.1", "", "10.1.1.1"},
		{"10.1.1.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"},
		{"10.1.1.1", "203.0.113.9, 192.0.2.1, 10.2.2.2", "203.0.113.9"},
		{"10.1.1.1", "10.3.3.3", "10.3.3.3"},
		{"10.1.1.1", "6.6.6.6, nonsense", "10.1.1.1"},
		{"10.1.1.1", "6.6.6.6:8080", "6.6.6.6"},
		{"10.1.1.1", "[2001:db9::1]:8080", "2001:db9::1"},
		{"10.1.1.1", "[2001:db9::1]", "2001:db9::1"},
		{"::ffff:10.1.1.1", "::ffff:6.6.6.6", "6.6.6.6"},
		{"2001:db8::5", "6.6.6.6", "6.6.6.6"},
		{"10.1.1.1", "unknown", "10.1.1.1"},
	} {
		if got := trusted.Client(netip.MustParseAddr(c.peer), c.list); got.String() != c.want {
			t.Errorf("%s, %q: %s, want %s", c.peer, c.list, got, c.want)
		}
	}
}

func TestEveryWrongNetworkIsNamed(t *testing.T) {
	var trusted Trusted
	if err := trusted.UnmarshalText([]byte("10.0.0.0/8,x,10.0.0.0/99")); err == nil || err.Error() != `"x", "10.0.0.0/99": want networks such as 10.0.0.0/8 or addresses` {
		t.Error(err)
	}
}

func FuzzClient(f *testing.F) {
	f.Add("1.2.3.4, [::1]:5,,x")
	f.Fuzz(func(t *testing.T, list string) {
		peer := netip.MustParseAddr("10.0.0.1")
		trusted := Trusted{netip.MustParsePrefix("10.0.0.0/8")}
		if got := trusted.Client(peer, list); !got.IsValid() {
			t.Errorf("%q: no address", list)
		}
		if got := (Trusted{}).Client(peer, list); got != peer {
			t.Errorf("%q was believed", list)
		}
	})
}
