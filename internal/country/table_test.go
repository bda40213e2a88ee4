package country

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryWrongLineIsNamed(t *testing.T) {
	t.Parallel()
	_, err := ReadCSV([]byte("# some\n\n192.0.2.0/24;US\n192.0.2.0,US\n192.0.2.1/24,US\n::ffff:192.0.2.0/120,US\n192.0.2.0/24,us\n192.0.2.0/24,USA\n198.51.100.0/24 , FR\r\n"))
	for _, want := range []string{
		`line 3: "192.0.2.0/24;US" has no comma: want network,country such as 203.0.113.0/24,DE`,
		`line 4: "192.0.2.0" is no network`, `line 5: "192.0.2.1/24" has bits behind its length: 192.0.2.0/24 is meant`,
		`line 6: "::ffff:192.0.2.0/120": write IPv4 networks as IPv4`, `line 7: "us" is no country: want two capital letters`, `line 8: "USA" is no country`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "line 9") {
		t.Errorf("spaces around a comma are refused: %v", err)
	}
	many := strings.Repeat(strings.Repeat("x", 10_000)+"\n", 1000)
	if _, err := ReadCSV([]byte(many)); err == nil || len(err.Error()) > 2000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

func TestOneNetworkInTwoCountriesIsAnError(t *testing.T) {
	t.Parallel()
	_, err := ReadCSV([]byte("192.0.2.0/24,US\n192.0.2.0/24,FR\n"))
	if err == nil || !strings.Contains(err.Error(), "192.0.2.0/24 is in ") {
		t.Errorf("%v", err)
	}
	if _, err := ReadCSV([]byte("192.0.2.0/24,US\n192.0.2.0/24,US\n")); err != nil {
		t.Errorf("said twice: %v", err)
	}
}

func TestTheNarrowestNetworkCounts(t *testing.T) {
	t.Parallel()
	table, err := ReadCSV([]byte("0.0.0.0/0,ZZ\n10.0.0.0/8,US\n10.1.0.0/16,FR\n10.1.255.0/24,DE\n10.255.255.255/32,GB\n255.255.255.255/32,IT\nffff::/16,ES\n"))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"0.0.0.0": "ZZ", "9.255.255.255": "ZZ", "10.0.0.0": "US", "10.1.0.0": "FR", "10.1.255.7": "DE", "10.2.0.0": "US", "10.255.255.254": "US", "10.255.255.255": "GB",
		"11.0.0.0": "ZZ", "255.255.255.255": "IT", "::": "", "::1:0:0:0": "", "fffe::": "", "ffff::": "ES", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "ES",
	} {
		if got := table.Of(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
	if got := table.Of(netip.Addr{}); got.Known() {
		t.Errorf("no address is in %s", got)
	}
	var none *Table
	if none.Of(netip.MustParseAddr("10.0.0.1")).Known() || none.Len() != 0 {
		t.Error("no table knows a country")
	}
}

// The slow way: look at all networks and take the narrowest one.
func narrowest(networks []Network, a netip.Addr) Code {
	code, bits := Code{}, -1
	for _, n := range networks {
		length := n.Prefix.Bits()
		if n.Prefix.Addr().Is4() {
			length += 96
		}
		mapped := netip.AddrFrom16(a.As16()) // where IPv6 has IPv4
		if length > bits && (n.Prefix.Contains(a) || n.Prefix.Contains(mapped)) {
			code, bits = n.Country, length
		}
	}
	return code
}

func TestATableSaysWhatItsNetworksSay(t *testing.T) {
	t.Parallel()
	// Few bits vary, so that networks lie inside and beside one another.
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		n := rapid.Byte().Draw(t, "first")
		m := rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xfe, 0xff}).Draw(t, "last")
		if rapid.Bool().Draw(t, "v4") {
			return netip.AddrFrom4([4]byte{n, 0, 0, m})
		}
		return netip.AddrFrom16([16]byte{0x20, n, 8: m, 15: m})
	})
	rapid.Check(t, func(t *rapid.T) {
		seen := map[netip.Prefix]Code{}
		for range rapid.IntRange(0, 30).Draw(t, "networks") {
			a := address.Draw(t, "network")
			prefix := netip.PrefixFrom(a, rapid.IntRange(1, a.BitLen()).Draw(t, "bits")).Masked()
			seen[prefix] = Code{'A', 'A' + byte(rapid.IntRange(0, 3).Draw(t, "country"))}
		}
		var networks []Network
		for prefix, code := range seen {
			networks = append(networks, Network{prefix, code})
		}
		table, err := New(networks)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			a := address.Draw(t, "address")
			if got, want := table.Of(a), narrowest(networks, a); got != want {
				t.Fatalf("%v is in %q, want %q", a, got, want)
			}
		}
		for i := 1; i < table.Len(); i++ {
			if table.starts[i-1].compare(table.starts[i]) >= 0 || table.codes[i-1] == table.codes[i] {
				t.Fatalf("stretches %d and %d are out of order, or one", i-1, i)
			}
		}
	})
}

func TestTheBundledTableIsOfDocumentationNetworksAlone(t *testing.T) {
	t.Parallel()
	table := Documentation()
	for addr, want := range map[string]string{
		"192.0.2.1": "US", "198.51.100.1": "GB", "198.51.100.200": "FR", "203.0.113.9": "DE", "2001:db8::1": "US", "2001:db8:ffff::1": "DE",
		"127.0.0.1": "", "10.0.0.1": "", "192.0.3.1": "", "2001:db9::": "", "::1": "",
	} {
		if got := table.Of(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s is in %q, want %q", addr, got, want)
		}
	}
}

func TestAFileIsReadByItsEnding(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	csv, db := filepath.Join(dir, "a.csv"), filepath.Join(dir, "a.MMDB")
	for file, content := range map[string][]byte{
		csv: []byte("192.0.2.0/24,US"), db: mmdb(map[string]string{"192.0.2.0/24": "\xe1" + text("country") + "\xe1" + text("iso_code") + text("US")}),
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		table, err := Open(file)
		if err != nil || table.Of(netip.MustParseAddr("192.0.2.9")).String() != "US" {
			t.Errorf("%s: %v, %v", file, table, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "none.csv")); err == nil || !strings.Contains(err.Error(), "read countries: open ") {
		t.Errorf("%v", err)
	}
	large := filepath.Join(dir, "large.csv")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, MaxFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(large); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("%v", err)
	}
}

// Of a file with a mistake nothing is taken; who follows it is told, and of the next good one.
func TestAFileIsFollowedAndABrokenOneIsRefusedAsAWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "countries.csv")
	write := func(text string) {
		t.Helper()
		if err := atomicfile.Write(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("192.0.2.0/24,US")
	if _, _, err := OpenFile(file + "x"); err == nil {
		t.Error("a file that is not there is opened")
	}
	table, followed, err := OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr("192.0.2.9")
	if got := table.Of(addr).String(); got != "US" {
		t.Errorf("at first %s", got)
	}
	type change struct {
		table *Table
		err   error
	}
	ctx, cancel := context.WithCancel(t.Context())
	changes, done := make(chan change, 10), make(chan struct{})
	go func() {
		defer close(done)
		followed.Watch(ctx, func(t *Table, err error) { changes <- change{t, err} })
	}()
	next := func() change {
		t.Helper()
		select {
		case c := <-changes:
			return c
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is told")
			return change{}
		}
	}
	write("192.0.2.0/24,FR\n192.0.2.0/33,FR")
	if c := next(); c.table != nil || c.err == nil || !strings.Contains(c.err.Error(), "line 2") {
		t.Errorf("broken: %v, %v", c.table, c.err)
	}
	write("192.0.2.0/24,FR")
	if c := next(); c.err != nil || c.table.Of(addr).String() != "FR" {
		t.Errorf("good: %v, %v", c.table, c.err)
	}
	cancel()
	<-done
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("192.0.2.0/24,US\n# c\n\n2001:db8::/32,FR"))
	f.Add(documentation)
	f.Add([]byte("0.0.0.0/0,ZZ\n::/0,YY\n255.255.255.255/32,AA"))
	f.Fuzz(func(t *testing.T, content []byte) {
		table, err := ReadCSV(content)
		if err != nil {
			return
		}
		for _, a := range []string{"0.0.0.0", "255.255.255.255", "192.0.2.1", "::", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
			if code := table.Of(netip.MustParseAddr(a)); code.Known() && len(code.String()) != 2 {
				t.Errorf("%s is in %q", a, code)
			}
		}
	})
}

func TestALookUpAllocatesNothing(t *testing.T) {
	table, addr := Documentation(), netip.MustParseAddr("203.0.113.9")
	if n := testing.AllocsPerRun(100, func() { table.Of(addr) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A table of the size of a world's.
func BenchmarkOf(b *testing.B) {
	var networks []Network
	for i := range 400_000 {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 13), byte(i >> 5), byte(i << 3)}), 21)
		networks = append(networks, Network{prefix, Code{'A' + byte(i%26), 'A'}})
	}
	table, err := New(networks)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(fmt.Sprint(table.Len()), func(b *testing.B) {
		b.ReportAllocs()
		n := uint32(0)
		for b.Loop() {
			n = n*1664525 + 1013904223
			table.Of(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8)}))
		}
	})
}
