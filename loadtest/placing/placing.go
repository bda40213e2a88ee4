// Package placing puts keys on shards by every sharding function of internal/sharding, with and without bounded
// loads, and counts: what moves when a shard joins, and how full the fullest is.
package placing

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/flotilla-dev/flotilla/internal/sharding"
)

// Bound is the factor of the bounded loads: the first example of the paper.
const Bound = 1.25

// A Function places keys on servers.
type Function struct {
	Name    string
	Hash    func(key []byte) uint64
	Order   sharding.Order
	Bounded *sharding.Bounded // nil: without

	servers int
}

// Functions are all of internal/sharding, by name, and then two with bounded loads: a ring's, and rendezvous.
func Functions(servers []sharding.Server) ([]Function, error) {
	var all []Function
	for _, name := range sharding.OrderNames() {
		f, err := New(name, servers)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	for _, name := range []string{"nginx", "rendezvous"} {
		f, err := New(name, servers)
		if err != nil {
			return nil, err
		}
		f.Name, f.Bounded = name+", bounded", sharding.NewBounded(f.Order, servers, Bound)
		all = append(all, f)
	}
	return all, nil
}

// New is one function, with the hash that goes with it.
func New(name string, servers []sharding.Server) (Function, error) {
	order, err := sharding.NewOrder(name, servers)
	f := Function{Name: name, Hash: xxhash.Sum64, Order: order, servers: len(servers)}
	if name == "nginx" {
		f.Hash = sharding.CRC32
	}
	return f, err
}

// Place returns the shard of each key. With bounded loads each key is a load of one, and keys come one after another.
func (f Function) Place(keys []string) []int {
	places := make([]int, len(keys))
	loads := make([]int64, f.servers)
	load := func(i int) int64 { return loads[i] }
	for i, key := range keys {
		hash := f.Hash([]byte(key))
		if f.Bounded != nil {
			places[i] = f.Bounded.First(hash, int64(i), load, nil)
		} else {
			places[i] = f.Order.First(hash, nil)
		}
		loads[places[i]]++
	}
	return places
}

// Moved counts the keys that are elsewhere after a shard has joined, and those among them that are not on that one.
func Moved(before, after []int, joined int) (all, needless int) {
	for i := range before {
		if before[i] == after[i] {
			continue
		}
		all++
		if after[i] != joined {
			needless++
		}
	}
	return all, needless
}

// Fullest is the largest load, as a multiple of what the server's weight makes fair.
func Fullest(places []int, servers []sharding.Server) float64 {
	loads := make([]float64, len(servers))
	for _, place := range places {
		loads[place]++
	}
	total := 0
	for _, s := range servers {
		total += s.Weight
	}
	most := 0.0
	for i, n := range loads {
		if servers[i].Weight > 0 {
			most = max(most, n*float64(total)/(float64(len(places))*float64(servers[i].Weight)))
		}
	}
	return most
}

// Shards are n servers of weight 1, named as addresses are: 10.0.0.1:8080 and so on.
func Shards(n int) []sharding.Server {
	all := make([]sharding.Server, n)
	for i := range all {
		all[i] = sharding.Server{Name: fmt.Sprintf("10.0.%d.%d:8080", i/250, i%250+1), Weight: 1}
	}
	return all
}

// Targets are n keys that look like requests.
func Targets(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("/v1/words/%d?lang=en", i)
	}
	return all
}

// Popular are the same keys, so many percent of which are one.
func Popular(keys []string, percent int) []string {
	all := make([]string, len(keys))
	for i, key := range keys {
		all[i] = key
		if i%100 < percent {
			all[i] = "/popular"
		}
	}
	return all
}
