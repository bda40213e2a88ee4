package sharding

import (
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"
)

// hashOf is a hash that an order can use.
func hashOf(order, key string) uint64 {
	if order == "nginx" {
		return CRC32([]byte(key))
	}
	return xxhash.Sum64String(key)
}

func ordered(t rapid.TB, name string, servers []Server) Order {
	t.Helper()
	o, err := NewOrder(name, servers)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func shards(n int) []Server {
	all := make([]Server, n)
	for i := range all {
		all[i] = Server{fmt.Sprintf("shard-%d:8080", i), 1}
	}
	return all
}

const sample = 100_000

// owners are those of keys, by the order's name.
func owners(name string, o Order, ok func(int) bool) []int {
	all := make([]int, sample)
	for i := range all {
		all[i] = o.First(hashOf(name, fmt.Sprintf("/word/%d", i)), ok)
	}
	return all
}

// Places are a promise: everybody who shares keys, of whatever version, has to agree.
func TestPlacesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	servers := []Server{{"10.0.0.1:8080", 1}, {"10.0.0.2:8080", 2}, {"shard-c", 0}, {"unix:/run/d", 1}, {"shard-e:80", 3}}
	for name, want := range map[string]uint32{
		"modulo": 0xccef7c88, "ketama": 0x17f944d9, "nginx": 0x0b63ea3f, "jump": 0xbf1d9b68, "rendezvous": 0xd72a0ef8, "maglev": 0x80ddfa01,
	} {
		sum := crc32.NewIEEE()
		for _, server := range owners(name, ordered(t, name, servers), nil) {
			_, _ = sum.Write([]byte{byte(server)})
		}
		if got := sum.Sum32(); got != want {
			t.Errorf("%s: keys lie elsewhere: %#08x, want %#08x", name, got, want)
		}
	}
}

func TestWrongOrdersAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		servers []Server
		want    string
	}{
		{"ring", nil, `"ring" is no order: want one of jump, ketama, maglev, modulo, nginx, rendezvous`},
		{"jump", []Server{{"a", -1}}, `server "a": weight -1`},
		{"maglev", []Server{{"a", MaxTotal}, {"b", 1}}, "the weights add up to 16385, at most 16384 are possible"},
	} {
		if _, err := NewOrder(c.name, c.servers); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestAnOrderOfNobodyIsEmpty(t *testing.T) {
	t.Parallel()
	nobody := func(int) bool { return false }
	for _, name := range OrderNames() {
		for _, servers := range [][]Server{nil, {{"a", 0}}} {
			if got := ordered(t, name, servers).First(7, nil); got != -1 {
				t.Errorf("%s of %v: %d", name, servers, got)
			}
		}
		if got := ordered(t, name, shards(3)).First(7, nobody); got != -1 {
			t.Errorf("%s, all gone: %d", name, got)
		}
	}
}

func TestSharesAreAsWeights(t *testing.T) {
	t.Parallel()
	servers := []Server{{"a:1", 1}, {"b:1", 2}, {"c:1", 0}, {"d:1", 5}}
	for _, name := range OrderNames() {
		var n [4]float64
		for _, server := range owners(name, ordered(t, name, servers), nil) {
			n[server] += 1.0 / sample
		}
		for i, s := range servers {
			if want := float64(s.Weight) / 8; math.Abs(n[i]-want) > 0.03 {
				t.Errorf("%s: the share of %s is %.3f, want %.3f", name, s.Name, n[i], want)
			}
		}
	}
}

// While a server is gone its keys are shared out, and nobody else's move.
func TestWhenAServerIsGoneItsKeysAloneMove(t *testing.T) {
	t.Parallel()
	for _, name := range OrderNames() {
		o := ordered(t, name, shards(5))
		before, meanwhile := owners(name, o, nil), owners(name, o, func(i int) bool { return i != 2 })
		var took [5]int
		for i := range before {
			if before[i] != 2 && before[i] != meanwhile[i] || meanwhile[i] == 2 {
				t.Fatalf("%s: key %d moved from %d to %d", name, i, before[i], meanwhile[i])
			}
			if before[i] == 2 {
				took[meanwhile[i]]++
			}
		}
		if alone := slices.Max(took[:]) == sample/5; name != "modulo" && alone {
			t.Errorf("%s: one server takes all keys: %v", name, took)
		}
	}
}

// moved counts keys that move when shard 10 joins shards 0 to 9, and those among them
// that move between two old ones.
func moved(t *testing.T, name string) (all, needless float64) {
	t.Helper()
	before, after := owners(name, ordered(t, name, shards(10)), nil), owners(name, ordered(t, name, shards(11)), nil)
	for i := range before {
		if before[i] != after[i] {
			all += 1.0 / sample
			if after[i] != 10 {
				needless += 1.0 / sample
			}
		}
	}
	return all, needless
}

func TestAServerThatJoinsTakesItsShareAndNoMore(t *testing.T) {
	t.Parallel()
	for _, name := range OrderNames() {
		all, needless := moved(t, name)
		t.Logf("%-10s %5.2f %% moved, %.2f %% between two that stay", name, all*100, needless*100)
		switch {
		case name == "modulo":
			if math.Abs(all-10.0/11) > 0.01 {
				t.Errorf("modulo: %.3f of all keys moved, want %.3f", all, 10.0/11)
			}
		case name == "maglev":
			if math.Abs(all-1.0/11) > 0.03 {
				t.Errorf("maglev: %.3f of all keys moved", all)
			}
		case needless > 0 || math.Abs(all-1.0/11) > 0.015:
			t.Errorf("%s: %.3f of all keys moved, want %.3f; %.3f of them needlessly", name, all, 1.0/11, needless)
		}
	}
}

// A weight that grows draws keys to its server, and moves none between others.
func TestAGrowingWeightDrawsKeysToItsServerAlone(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nginx", "rendezvous"} {
		light, heavy := shards(5), shards(5)
		light[0].Weight, heavy[0].Weight, heavy[3].Weight = 2, 2, 3
		before, after := owners(name, ordered(t, name, light), nil), owners(name, ordered(t, name, heavy), nil)
		for i := range before {
			if before[i] != after[i] && after[i] != 3 {
				t.Fatalf("%s: key %d moved from %d to %d", name, i, before[i], after[i])
			}
		}
	}
}

func TestAnAddressIsSplitAsNginxDoes(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string][2]string{
		"10.0.0.1:80": {"10.0.0.1", "80"}, "shard": {"shard", ""}, "shard:": {"shard", ""}, "unix:/run/a.sock": {"/run/a.sock", ""}, "UNIX:/b": {"/b", ""},
		"[::1]:80": {"[::1]", "80"}, "8080": {"8080", ""}, ":80": {"", "80"}, "a:b1": {"a:b1", ""}, "": {"", ""},
	} {
		if host, port := hostAndPort(addr); host != want[0] || port != want[1] {
			t.Errorf("%q is %q and %q, want %q", addr, host, port, want)
		}
	}
}

func TestLoadsStayBelowTheirBound(t *testing.T) {
	t.Parallel()
	servers := shards(10)
	servers[4].Weight = 3
	for _, name := range OrderNames() {
		b := NewBounded(ordered(t, name, servers), servers, 1.25)
		var loads [10]int64
		load := func(i int) int64 { return loads[i] }
		popular := hashOf(name, "/popular")
		for i := range int64(12_000) {
			hash := popular
			if i%2 == 0 {
				hash = hashOf(name, fmt.Sprint("/word/", i))
			}
			loads[b.First(hash, i, load, nil)]++
		}
		for i, n := range loads {
			if most := math.Ceil(1.25 * 1000 * float64(servers[i].Weight)); float64(n) > most {
				t.Errorf("%s: the load of %d is %d, want at most %.0f", name, i, n, most)
			}
		}
	}
}

func TestABoundMovesNothingWhileLoadsAreEven(t *testing.T) {
	t.Parallel()
	servers := shards(10)
	o := ordered(t, "ketama", servers)
	b := NewBounded(o, servers, 1.25)
	for i := range uint64(1000) {
		hash := mix(i)
		if got, want := b.First(hash, 10_000, func(int) int64 { return 1000 }, nil), o.First(hash, nil); got != want {
			t.Fatalf("%d in place of %d", got, want)
		}
	}
}

// Where so many are gone that the rest are over their bounds, they go on.
func TestAServerThatIsLeftAloneTakesAll(t *testing.T) {
	t.Parallel()
	servers := shards(4)
	b := NewBounded(ordered(t, "nginx", servers), servers, 1.25)
	var load int64
	for range 100 {
		if got := b.First(1, load, func(int) int64 { return load }, func(i int) bool { return i == 3 }); got != 3 {
			t.Fatalf("the request goes to %d", got)
		}
		load++
	}
}

func TestALookUpAllocatesNothing(t *testing.T) {
	gone := func(i int) bool { return i != 3 }
	for _, name := range OrderNames() {
		o := ordered(t, name, shards(10))
		hash := uint64(0)
		if n := testing.AllocsPerRun(1000, func() { hash++; o.First(hash, nil); o.First(hash, gone) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkOrders(b *testing.B) {
	for _, name := range OrderNames() {
		for _, n := range []int{10, 100, 1000} {
			o := ordered(b, name, shards(n))
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				hash := uint64(0)
				for b.Loop() {
					hash += 0x9e3779b97f4a7c15
					o.First(hash, nil)
				}
			})
		}
	}
}

func BenchmarkBounded(b *testing.B) {
	servers := shards(10)
	load := func(i int) int64 { return int64(90 + i) }
	for _, name := range OrderNames() {
		bounded := NewBounded(ordered(b, name, servers), servers, 1.25)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			hash := uint64(0)
			for b.Loop() {
				hash += 0x9e3779b97f4a7c15
				bounded.First(hash, 945, load, nil)
			}
		})
	}
}
