package memcacheshard

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/nutcracker"
)

// The golden file holds where the real twemproxy 0.5 looked for keys in the pools
// below, as TestRealTwemproxyPlacesTheSame wrote it with UPDATE_GOLDEN=1: for each
// pool, with all servers, with one ejected, and with that one back, a digest of
// the servers of all keys and those of the first 60. So the placement is held
// where twemproxy is not installed, too.
const goldenFile = "testdata/twemproxy-0.5.txt"

// golden are the pools. The names of the servers are fixed, so that the placement
// does not depend on ports.
var golden = []struct {
	name, settings string
	servers        []string // host:port:weight and perhaps an alias
}{
	{"book", "hash: fnv1a_64, distribution: ketama", []string{"memcache-0.memcache:11211:1", "memcache-1.memcache:11211:1", "memcache-2.memcache:11211:1"}},
	{"ports", "hash: fnv1a_64, distribution: ketama", []string{"10.0.0.1:11211:1", "10.0.0.1:11212:1", "10.0.0.2:11211:1", "10.0.0.2:11212:1"}},
	{"aliases", "hash: md5, distribution: ketama", []string{"a:11211:1 server2", "b:11211:1 server10", "c:11211:1 a", "d:11211:1 server1"}},
	{"weights", "hash: murmur, distribution: ketama", []string{"memcache-0.memcache:11211:1", "memcache-1.memcache:11211:4", "memcache-2.memcache:11211:7", "e:11211:10 big"}},
	{"modula", "hash: fnv1a_32, distribution: modula", []string{"memcache-0.memcache:11211:1", "memcache-1.memcache:11211:2", "memcache-2.memcache:11211:3"}},
	{"tags", `hash: one_at_a_time, hash_tag: "{}", distribution: ketama`, []string{"memcache-0.memcache:11211:1", "memcache-1.memcache:11211:1", "memcache-2.memcache:11211:1"}},
	{"jenkins", "hash: jenkins, distribution: ketama", []string{"memcache-0.memcache:11211:2", "memcache-1.memcache:11211:1", "memcache-2.memcache:11211:2"}},
	{"crc16", "hash: crc16, distribution: modula", []string{"memcache-0.memcache:11211:1", "memcache-1.memcache:11211:1", "memcache-2.memcache:11211:1"}},
}

// taken is the server that is taken away, by the order in which twemproxy numbers
// them.
const taken = 1

// states in which each pool is compared.
var states = []string{"all", "ejected", "returned"}

// keys are 10,000 different keys that memcached allows, the same in every run:
// words, numbers in a row, punctuation, UTF-8, other high bytes, 1 to 250 bytes,
// with whole, empty, unclosed and nested hash tags.
var keys = sync.OnceValue(func() []string {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	all := make([]string, 0, 10_000)
	add := func(key string) {
		if key != "" && len(key) <= 250 && !seen[key] && len(all) < cap(all) {
			seen[key] = true
			all = append(all, key)
		}
	}
	for i := range 2000 {
		add(fmt.Sprintf("user:%d", i))
	}
	for i := range 400 {
		for _, shape := range []string{"user:{%d}:name", "{%d", "%d}", "{}%d", "a{b{%d}c}d", "}{%d}", "{%d}{x}", "x{%d}"} {
			add(fmt.Sprintf(shape, i))
		}
	}
	alphabets := [][]rune{
		[]rune("abcdefghijklmnopqrstuvwxyz0123456789"), []rune(":/.-_!\"#$%&'()*+,;<=>?@[\\]^`{|}~"), []rune("äöüßéèñøłπжשعあ漢字🙂🚢"), nil,
	}
	for len(all) < cap(all) {
		alphabet, key := alphabets[r.IntN(4)], []byte{}
		for n := 1 + r.IntN(250); len(key) < n; {
			if alphabet == nil {
				key = append(key, 0x80+byte(r.UintN(128)))
				continue
			}
			key = append(key, string(alphabet[r.IntN(len(alphabet))])...)
		}
		add(string(key[:min(len(key), 250)]))
	}
	return all
})

// goldenLine is a line of the golden file.
func goldenLine(name, placement string) string {
	sum := sha256.Sum256([]byte(placement))
	return fmt.Sprintf("%s %s %s", name, hex.EncodeToString(sum[:12]), placement[:60])
}

// parsed reads a golden pool from a file as people write it.
func parsed(t *testing.T, name, listen, settings string, servers []string) nutcracker.Pool {
	t.Helper()
	pools, err := nutcracker.Parse([]byte(yaml(name, listen, settings, servers)))
	if err != nil {
		t.Fatal(err)
	}
	return pools[0]
}

func yaml(name, listen, settings string, servers []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n  listen: %s\n", name, listen)
	for setting := range strings.SplitSeq(settings, ", ") {
		fmt.Fprintf(&b, "  %s\n", setting)
	}
	b.WriteString("  servers:\n")
	for _, s := range servers {
		fmt.Fprintf(&b, "   - %s\n", s)
	}
	return b.String()
}

// TestPlacementIsThatOfTwemproxyAsRecorded compares the placement of the pools,
// with names as the file gives them.
func TestPlacementIsThatOfTwemproxyAsRecorded(t *testing.T) {
	t.Parallel()
	in, err := os.Open(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	want := map[string]string{}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		name, _, _ := strings.Cut(lines.Text(), " ")
		want[name] = lines.Text()
	}
	if len(want) != len(golden)*len(states) {
		t.Fatalf("%d lines were recorded", len(want))
	}
	for _, g := range golden {
		pool := parsed(t, g.name, "127.0.0.1:1", g.settings+", auto_eject_hosts: true, server_failure_limit: 1", g.servers)
		p, err := nutcracker.NewPlacement(pool, nil, nutcracker.Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range states[:2] {
			if state == "ejected" {
				p.Failed(taken)
			}
			var digits strings.Builder
			for _, key := range keys() {
				fmt.Fprint(&digits, p.Pick([]byte(key)))
			}
			if got := goldenLine(g.name+"/"+state, digits.String()); got != want[g.name+"/"+state] {
				t.Errorf("\n got %s\nwant %s", got, want[g.name+"/"+state])
			}
		}
		all, returned := strings.TrimPrefix(want[g.name+"/all"], g.name+"/all"), strings.TrimPrefix(want[g.name+"/returned"], g.name+"/returned")
		if all != returned {
			t.Errorf("%s: after the return of a server the keys are elsewhere", g.name)
		}
	}
}
