package country

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

// mmdb writes a MaxMind database (format version 2.0) of an IPv6 tree with records of 24 bits. data is what the
// networks point at, each a control byte and so on as the format has it.
func mmdb(networks map[string]string) []byte {
	const pending = -1
	tree := [][2]int{{pending, pending}} // a child: a node's number, or pending; data is written as -2-offset
	var data []byte
	offsets := map[string]int{}
	for network, value := range networks {
		at, known := offsets[value]
		if !known {
			at = len(data)
			offsets[value] = at
			data = append(data, value...)
		}
		prefix := netip.MustParsePrefix(network)
		address, bits := prefix.Addr().As16(), prefix.Bits()
		if prefix.Addr().Is4() {
			four := prefix.Addr().As4()
			address, bits = [16]byte{12: four[0], four[1], four[2], four[3]}, bits+96
		}
		node := 0
		for bit := range bits {
			side := address[bit/8] >> (7 - bit%8) & 1
			if bit == bits-1 {
				tree[node][side] = -2 - at
				break
			}
			if tree[node][side] == pending {
				tree = append(tree, [2]int{pending, pending})
				tree[node][side] = len(tree) - 1
			}
			node = tree[node][side]
		}
	}
	var out []byte
	for _, node := range tree {
		for _, child := range node {
			record := child
			switch {
			case child == pending:
				record = len(tree)
			case child < pending:
				record = len(tree) + 16 + (-2 - child)
			}
			out = append(out, byte(record>>16), byte(record>>8), byte(record))
		}
	}
	out = append(append(out, make([]byte, 16)...), data...)
	return append(append(out, "\xab\xcd\xefMaxMind.com"...), metadata(len(tree))...)
}

func metadata(nodes int) []byte {
	number := func(n int) string { return "\xc4" + string(binary.BigEndian.AppendUint32(nil, uint32(n))) } // uint32
	fields := map[string]string{
		"node_count": number(nodes), "record_size": "\xa2\x00\x18", "ip_version": "\xa2\x00\x06",
		"binary_format_major_version": "\xa2\x00\x02", "binary_format_minor_version": "\xa2\x00\x00",
		"build_epoch": "\x04\x02\x00\x00\x00\x01", "database_type": text("Test"), "languages": "\x00\x04", "description": "\xe0",
	}
	out := []byte{0xe0 | byte(len(fields))}
	for name, value := range fields {
		out = append(append(out, text(name)...), value...)
	}
	return out
}

// text is a string of the format: type 2 and the length, above 28 in a byte of its own.
func text(s string) string {
	if len(s) > 28 {
		panic("longer than the test needs")
	}
	return string([]byte{0x40 | byte(len(s))}) + s
}

func TestAMaxMindDatabaseIsRead(t *testing.T) {
	t.Parallel()
	country := func(code string) string { return "\xe1" + text("country") + "\xe1" + text("iso_code") + text(code) }
	content := mmdb(map[string]string{
		"192.0.2.0/24": country("US"), "198.51.100.128/25": country("FR"), "2001:db8:8000::/34": country("FR"),
		"203.0.113.0/24": "\xe1" + text("city") + "\xe0", // of no country
	})
	table, err := ReadMMDB(content)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"192.0.2.0": "US", "192.0.2.255": "US", "192.0.3.0": "", "198.51.100.127": "", "198.51.100.128": "FR", "203.0.113.1": "",
		"2001:db8:8000::1": "FR", "2001:db8:c000::": "", "::ffff:192.0.2.1": "US", "::192.0.2.1": "",
	} {
		if got := table.Of(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
}

func TestADatabaseThatIsNoneOfCountriesIsRefused(t *testing.T) {
	t.Parallel()
	good := mmdb(map[string]string{"192.0.2.0/24": "\xe1" + text("country") + "\xe1" + text("iso_code") + text("US")})
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"a text":       {[]byte("192.0.2.0/24,US\n"), "invalid MaxMind DB file"},
		"cut":          {good[:len(good)/2], "invalid MaxMind DB file"},
		"no country":   {mmdb(map[string]string{"192.0.2.0/24": "\xe1" + text("asn") + text("AS1")}), "no network has country.iso_code"},
		"small":        {mmdb(map[string]string{"192.0.2.0/24": "\xe1" + text("country") + "\xe1" + text("iso_code") + text("us")}), `network 192.0.2.0/24: "us" is no country`},
		"another type": {mmdb(map[string]string{"192.0.2.0/24": "\xe1" + text("country") + "\xe1" + text("iso_code") + "\xe0"}), "network 192.0.2.0/24: "},
	} {
		if _, err := ReadMMDB(c.content); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func FuzzReadMMDB(f *testing.F) {
	f.Add(mmdb(map[string]string{"192.0.2.0/24": "\xe1" + text("country") + "\xe1" + text("iso_code") + text("US")}))
	f.Fuzz(func(t *testing.T, content []byte) {
		if table, err := ReadMMDB(content); err == nil && table.Len() == 0 {
			t.Error("a table of nothing")
		}
	})
}
