package forwarded

import (
	"net/netip"
	"strings"
	"testing"
)

func proxies(t testing.TB, text string) Trusted {
	t.Helper()
	var p Trusted
	if err := p.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheClientIsTheRightmostAddressThatIsNoProxy(t *testing.T) {
	trusted := "10.0.0.0/8, 127.0.0.1, fd00::/8"
	long := strings.Repeat("10.0.0.9,", 2*maxForwarded)
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no field", "10.0.0.1", nil, "10.0.0.1"},
		{"an empty field", "10.0.0.1", []string{""}, "10.0.0.1"},
		{"an untrusted peer says what it wants", "192.0.2.1", []string{"198.51.100.1"}, "192.0.2.1"},
		{"one proxy", "10.0.0.1", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a spoofed left part", "10.0.0.1", []string{"198.51.100.1, 192.0.2.1"}, "192.0.2.1"},
		{"a chain of proxies", "10.0.0.1", []string{"192.0.2.1, 10.2.2.2 ,10.3.3.3"}, "192.0.2.1"},
		{"two lines", "10.0.0.1", []string{"198.51.100.1, 192.0.2.1", "10.2.2.2"}, "192.0.2.1"},
		{"a spoofed proxy", "10.0.0.1", []string{"10.9.9.9, 192.0.2.1"}, "192.0.2.1"},
		{"proxies only", "10.0.0.1", []string{"10.4.4.4, 10.2.2.2"}, "10.4.4.4"},
		{"with a port", "10.0.0.1", []string{"192.0.2.1:4711"}, "192.0.2.1"},
		{"IPv6", "10.0.0.1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets with a port", "fd00::1", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"mapped IPv4 is IPv4", "::ffff:10.0.0.1", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"a mapped proxy", "10.0.0.1", []string{"192.0.2.1, ::ffff:10.2.2.2"}, "192.0.2.1"},
		{"a zone is dropped", "10.0.0.1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"garbage ends the search", "10.0.0.1", []string{"192.0.2.1, unknown, 10.2.2.2"}, "10.2.2.2"},
		{"garbage only", "10.0.0.1", []string{"192.0.2.1.5"}, "10.0.0.1"},
		{"empty elements", "10.0.0.1", []string{"192.0.2.1, ,,"}, "192.0.2.1"},
		{"too many", "10.0.0.1", []string{"192.0.2.1," + long}, "10.0.0.9"},
		{"too long", "10.0.0.1", []string{strings.Repeat("1", 500)}, "10.0.0.1"},
		{"an open bracket", "10.0.0.1", []string{"[2001:db8::1"}, "10.0.0.1"},
	} {
		got := proxies(t, trusted).Client(netip.MustParseAddr(c.peer), c.forwarded...)
		if got != netip.MustParseAddr(c.want) {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

func TestTrustedProxiesAreReadAndWritten(t *testing.T) {
	if got := proxies(t, " 10.1.2.3/8,192.0.2.1, 2001:db8::/32,::ffff:10.0.0.0/104 ,").String(); got != "10.0.0.0/8,192.0.2.1/32,2001:db8::/32,10.0.0.0/8" {
		t.Error(got)
	}
	var p Trusted
	for _, text := range []string{"10.0.0.0/33", "localhost", "10.0.0.0/8;10.0.0.1", "::ffff:0.0.0.0/90"} {
		if p.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"", "192.0.2.1", "10.0.0.1, 192.0.2.1:80", "[::1]:80,[", ",,,", "::ffff:10.0.0.1%a"} {
		f.Add(s, s)
	}
	trusted := proxies(f, "10.0.0.0/8,::1")
	peer, stranger := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("192.0.2.99")
	f.Fuzz(func(t *testing.T, a, b string) {
		if got := trusted.Client(stranger, a, b); got != stranger {
			t.Fatalf("an untrusted peer became %v", got)
		}
		got := trusted.Client(peer, a, b)
		if !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%q, %q: %v", a, b, got)
		}
		if joined := trusted.Client(peer, a+","+b); joined != got {
			t.Fatalf("two lines %v, joined %v", got, joined)
		}
		if got != peer && !trusted.Trusts(got) {
			// What stands left of the client is his own saying.
			if spoofed := trusted.Client(peer, "198.51.100.1", a, b); spoofed != got {
				t.Fatalf("something to the left turned %v into %v", got, spoofed)
			}
		}
	})
}

func TestEveryWrongNetworkIsNamed(t *testing.T) {
	var trusted Trusted
	err := trusted.UnmarshalText([]byte("10.0.0.0/8,x,10.0.0.0/99"))
	if err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), `"10.0.0.0/99"`) {
		t.Error(err)
	}
}
