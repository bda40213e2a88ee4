package nutcracker

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/sharding"
)

// The golden file holds what the real twemproxy 0.5 did with keysOfEveryShape,
// as TestRealTwemproxyPlacesTheSame wrote it with UPDATE_GOLDEN=1: a line for
// each pool of goldenPools, with the digest of the servers of all keys and the
// servers of the first 60. So the placement is held where twemproxy is not
// installed, too.
const goldenFile = "testdata/twemproxy-0.5.txt"

// goldenPools are a pool for each hash and distribution over servers of equal
// weight, and one over servers of different weights; the hash tag is {}. The
// names are fixed, so that the placement does not depend on ports.
func goldenPools() []Pool {
	var pools []Pool
	for _, hash := range sharding.HashNames() {
		for _, dist := range []string{"ketama", "modula"} {
			for _, weights := range []string{"equal", "weighted"} {
				p := newPool(hash + "-" + dist + "-" + weights)
				p.Hash, p.Distribution, p.HashTag, p.Redis = hash, dist, "{}", true
				p.AutoEject, p.FailureLimit, p.RetryTimeout = true, 1, 3*time.Second
				p.Timeout = 10 * time.Second
				for i, name := range []string{"server2", "server10", "a", "redis-shard-0.redis", "server1"} {
					weight := 1
					if weights == "weighted" {
						weight = 1 + 3*i
					}
					p.Servers = append(p.Servers, Server{Name: name, Weight: weight})
				}
				sortServers(p.Servers)
				pools = append(pools, p)
			}
		}
	}
	return pools
}

// digits writes the server of each key as a character.
func digits(pick func(key []byte) int) string {
	var b strings.Builder
	for _, key := range keysOfEveryShape() {
		b.WriteByte("-0123456789"[pick(key)+1])
	}
	return b.String()
}

// line is a line of the golden file.
func line(name, placement string) string {
	sum := sha256.Sum256([]byte(placement))
	return fmt.Sprintf("%s %s %s", name, hex.EncodeToString(sum[:12]), placement[:60])
}

// states are the names of the states in which each pool is compared.
var states = []string{"all", "ejected", "returned"}

// ours runs a pool through all states.
func ours(t testing.TB, pool Pool) []string {
	t.Helper()
	c := &clock{now: time.Unix(1000, 0)}
	p, err := newPlacement(pool, nil, Hooks{}, c.read)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{line(pool.Name+"/all", digits(p.Pick))}
	p.Failed(ejectedServer)
	lines = append(lines, line(pool.Name+"/ejected", digits(p.Pick)))
	c.pass(time.Hour)
	return append(lines, line(pool.Name+"/returned", digits(p.Pick)))
}

// ejectedServer is the index of the server that is taken away.
const ejectedServer = 2

func TestPlacementIsThatOfTwemproxyAsRecorded(t *testing.T) {
	t.Parallel()
	file, err := os.Open(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var want []string
	for in := bufio.NewScanner(file); in.Scan(); {
		want = append(want, in.Text())
	}
	var got []string
	for _, pool := range goldenPools() {
		got = append(got, ours(t, pool)...)
	}
	if len(got) != len(want) {
		t.Fatalf("%d pools, %d were recorded", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("\n got %s\nwant %s", got[i], want[i])
		}
	}
}

// The example of the README: numbers in a row do not spread with the file of the
// book, because the last character changes only the low bits of an FNV-1a hash.
func TestThirtyUsersInARowShareAShardWithTheBooksHash(t *testing.T) {
	t.Parallel()
	pool := parseFile(t, "redis.yaml")[0]
	for _, c := range []struct {
		hash   string
		shards int
	}{{"fnv1a_64", 1}, {"murmur", 3}, {"md5", 3}} {
		pool.Hash = c.hash
		p, err := NewPlacement(pool, nil, Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		var used []int
		for i := range 30 {
			if at := p.Pick(fmt.Appendf(nil, "user:%d", i)); !slices.Contains(used, at) {
				used = append(used, at)
			}
		}
		if len(used) != c.shards {
			t.Errorf("%s puts user:0 … user:29 on %d shards, want %d", c.hash, len(used), c.shards)
		}
	}
}
