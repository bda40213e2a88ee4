// Package sharding says which of several servers a key belongs to.
//
// Two steps, each chosen by a name, as in the configuration of a sharding proxy:
//
//	hash, _ := sharding.HashNamed("fnv1a_64")
//	dist, _ := sharding.New("ketama", []sharding.Server{{"server0", 1}, {"server1", 1}})
//	index := dist.Pick(hash(sharding.Tag(key, "{}")))
//
// A Hash makes a number of a key. A Distribution is built once from weighted,
// named servers and picks one for a number; it never changes, so whoever follows
// a changing set of servers builds a new one and swaps a pointer. A pick needs no
// lock and allocates nothing.
//
// The hashes and the distributions ketama, modula and random place every key as
// twemproxy 0.5 does on amd64: a fleet can move from one to the other, or run
// both, and no key is looked for in the wrong place. That includes what one would
// not guess:
//
//   - fnv1_64 and fnv1a_64 are the low 32 bits of FNV-1 and FNV-1a of 64 bits,
//     and crc32 is 15 bits of the CRC-32, as in libmemcached.
//   - crc16 keeps the bits that it shifts out above the 16th.
//   - Characters are signed: fnv*, one_at_a_time and one step of hsieh extend the
//     sign of bytes from 0x80 on, so keys beyond ASCII hash differently from the
//     textbook.
//   - ketama computes each server's share of the points in single precision.
//
// An Order does more: it says who stands in for a server that is gone, so that all who
// ask agree on that too. There is one for each of the well-known functions, and Bounded
// keeps a popular key from overloading the server that it belongs to:
//
//	order, _ := sharding.NewOrder("nginx", servers)
//	index := order.First(sharding.CRC32(key), func(i int) bool { return healthy[i] })
//
// What ten servers cost that become eleven, how much more than the mean the fullest of ten has of 100,000
// keys (go test -v -run 'Joins|Even'), and a look-up (go test -bench Orders; 2.5 GHz):
//
//	            keys that move   needlessly   max/mean   ns a look-up
//	modulo              90.8 %       81.8 %       1.02              3
//	ketama               9.5 %            –       1.09              5
//	nginx                8.8 %            –       1.14             15
//	jump                 9.0 %            –       1.02             25
//	rendezvous           9.0 %            –       1.02             44
//	maglev               9.3 %        0.2 %       1.01              4
//
// What the functions promise about more than these ten:
//
//   - Whoever joins or leaves, nginx and rendezvous move no key between two that stay, with any weights.
//   - ketama keeps that for equal weights only, and not at all numbers of servers: libmemcached's single precision gives each of 25
//     servers 39 sums in place of 40, and so moves up to 4 % of all keys between others. With different weights each joining
//     server changes the shares, and so the points, of all.
//   - jump keeps it while servers come and go at the end of the list. Where most servers are gone, those that come first in the
//     list take more than their shares.
//   - modulo and jump depend on the order in which servers are listed; all others do not.
package sharding
