package sharding

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
)

// CRC32 is the hash of a key under nginx's "hash … consistent".
func CRC32(key []byte) uint64 { return uint64(crc32.ChecksumIEEE(key)) }

// nginx is a consistent ring as nginx 1.22 computes it, which is that of the Perl module
// Cache::Memcached::Fast: 160 points for each unit of weight, each the CRC-32 of host,
// zero byte, port and the four bytes of the point before. The name of a server is the
// address that nginx has in its configuration, as it is spelt there.
//
// nginx gives a key to any server after 20 points of servers that are gone; here the walk
// goes on.
type nginx struct {
	points []uint32 // ascending, each once
	owners []uint16
}

// nginxPoints is how many points a unit of weight has.
const nginxPoints = 160

func newNginx(servers []Server) Order {
	type point struct {
		value uint32
		owner uint16
	}
	var all []point
	for i, s := range servers {
		host, port := hostAndPort(s.Name)
		base := crc32.Update(crc32.ChecksumIEEE([]byte(host)), crc32.IEEETable, append([]byte{0}, port...))
		var before [4]byte
		for range s.Weight * nginxPoints {
			value := crc32.Update(base, crc32.IEEETable, before[:])
			all = append(all, point{value, uint16(i)})
			binary.LittleEndian.PutUint32(before[:], value)
		}
	}
	slices.SortStableFunc(all, func(a, b point) int { return cmp.Compare(a.value, b.value) })
	all = slices.CompactFunc(all, func(a, b point) bool { return a.value == b.value })
	n := &nginx{points: make([]uint32, len(all)), owners: make([]uint16, len(all))}
	for i, p := range all {
		n.points[i], n.owners[i] = p.value, p.owner
	}
	return n
}

// hostAndPort splits an address as nginx does: a port is digits after the last colon.
func hostAndPort(addr string) (host, port string) {
	if len(addr) >= 5 && strings.EqualFold(addr[:5], "unix:") {
		return addr[5:], ""
	}
	at := len(strings.TrimRight(addr, "0123456789"))
	if at == 0 || addr[at-1] != ':' {
		return addr, ""
	}
	return addr[:at-1], addr[at:]
}

func (n *nginx) First(hash uint64, ok func(int) bool) int {
	if len(n.points) == 0 {
		return -1
	}
	at, _ := slices.BinarySearch(n.points, uint32(hash))
	at %= len(n.points) // past the last point the circle begins again
	if ok == nil {
		return int(n.owners[at])
	}
	return walk(at, len(n.points), func(at int) int { return int(n.owners[at]) }, ok)
}
