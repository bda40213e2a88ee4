package sharding

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Thirty draws of each property, where -rapid.checks does not say otherwise: under the race detector Maglev's tables
	// take their time.
	if err := flag.Set("rapid.checks", "30"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func TestWrongNamesAndServersAreNamed(t *testing.T) {
	t.Parallel()
	if _, err := HashNamed("sha1"); err == nil || !strings.Contains(err.Error(), `"sha1" is no hash: want one of crc16, crc32`) {
		t.Errorf("%v", err)
	}
	if _, err := New("ring", nil); err == nil || !strings.Contains(err.Error(), `"ring" is no distribution: want one of ketama, modula, random`) {
		t.Errorf("%v", err)
	}
	_, err := New("ketama", []Server{{"a", -1}, {"b", MaxWeight + 1}, {"c", 1}})
	for _, want := range []string{`server "a": weight -1`, `server "b": weight 1048577`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	if _, err := New("modula", make([]Server, MaxServers+1)); err == nil {
		t.Error("more than MaxServers were taken")
	}
}

func TestNobodyIsPickedWhereNobodyTakesPart(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		for _, servers := range [][]Server{nil, {{"a", 0}, {"b", 0}}} {
			d, err := New(name, servers)
			if err != nil || d.Pick(7) != -1 {
				t.Errorf("%s of %v: %v", name, servers, err)
			}
		}
	}
}

func TestAServerOfWeightZeroKeepsItsIndexAndGetsNothing(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		d, err := New(name, []Server{{"a", 1}, {"b", 0}, {"c", 3}})
		if err != nil {
			t.Fatal(err)
		}
		var n [3]int
		for i := range 10_000 {
			n[d.Pick(md5Low(fmt.Appendf(nil, "key-%d", i)))]++
		}
		heavy := 0.75
		if name == "random" {
			heavy = 0.5 // weights have no meaning there
		}
		if share := float64(n[2]) / 10_000; n[1] != 0 || share < heavy-0.08 || share > heavy+0.08 {
			t.Errorf("%s: %v", name, n)
		}
	}
}

// Three slots for b, one for c: 0 1 1 1 2, again and again.
func TestModulaComputedInTheHead(t *testing.T) {
	t.Parallel()
	d, err := New("modula", []Server{{"a", 1}, {"b", 3}, {"c", 1}})
	if err != nil {
		t.Fatal(err)
	}
	for hash, want := range []int{0, 1, 1, 1, 2, 0, 1, 1, 1, 2, 0} {
		if got := d.Pick(uint64(hash)); got != want {
			t.Errorf("%d: %d, want %d", hash, got, want)
		}
	}
}

// The values of the standards, where twemproxy keeps to one.
func TestHashesOfTheStandards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, key string
		want      uint64
	}{
		{"crc32a", "123456789", 0xcbf43926},
		{"crc32", "123456789", 0xcbf43926 >> 16 & 0x7fff},
		{"crc16", "A", 0x58e5},            // CRC-16/XMODEM, as long as nothing leaves the 16 bits
		{"fnv1_32", "foobar", 0x31f0b262}, // draft-eastlake-fnv
		{"fnv1a_32", "foobar", 0xbf9cf968},
		{"fnv1_64", "foobar", 0xa4dda9c2},  // of 0x340d8765a4dda9c2
		{"fnv1a_64", "foobar", 0xf73967e8}, // of 0x85944171f73967e8
		{"one_at_a_time", "a", 0xca2e9442}, // Jenkins
		{"md5", "", 0xd98c1dd4},            // d41d8cd98f00b204…
		{"jenkins", "", 0xdeadbeef + 13},
	} {
		hash, err := HashNamed(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := hash([]byte(c.key)); got != c.want {
			t.Errorf("%s(%q) = %#x, want %#x", c.name, c.key, got, c.want)
		}
	}
}

func TestTagIsWhatStandsBetweenTheFirstPair(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"user:{42}:name": "42", "{a}": "a", "{a}{b}": "a", "{a{b}c}": "a{b", "}{a}": "a",
		"": "", "plain": "plain", "{}": "{}", "{}{a}": "{}{a}", "{a": "{a", "a}": "a}", "}a{": "}a{",
	} {
		if got := string(Tag([]byte(key), "{}")); got != want {
			t.Errorf("tag of %q is %q, want %q", key, got, want)
		}
	}
	if got := string(Tag([]byte("a$b$c"), "$$")); got != "b" {
		t.Errorf("with one character for both: %q", got)
	}
	if got := string(Tag([]byte("{a}"), "")); got != "{a}" {
		t.Errorf("without a tag: %q", got)
	}
}

func TestALookUpDoesNotAllocate(t *testing.T) {
	key := []byte("user:{12345678}:name")
	for _, name := range Names() {
		d, err := New(name, []Server{{"a", 1}, {"b", 1}, {"c", 1}})
		if err != nil {
			t.Fatal(err)
		}
		for hashName, hash := range hashes {
			if n := testing.AllocsPerRun(20, func() { d.Pick(hash(Tag(key, "{}"))) }); n != 0 {
				t.Errorf("%s, %s: %v allocations", hashName, name, n)
			}
		}
	}
}

func BenchmarkHash(b *testing.B) {
	key := []byte("user:12345678:name")
	for _, name := range HashNames() {
		hash := hashes[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				hash(key)
			}
		})
	}
}

func BenchmarkPick(b *testing.B) {
	for _, name := range Names() {
		for _, n := range []int{3, 30, 300} {
			servers := make([]Server, n)
			for i := range servers {
				servers[i] = Server{fmt.Sprintf("server%d", i), 1}
			}
			d, err := New(name, servers)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				hash := uint64(0)
				for b.Loop() {
					hash = hash*6364136223846793005 + 1442695040888963407
					d.Pick(hash >> 32)
				}
			})
		}
	}
}
