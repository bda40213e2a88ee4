package sharding

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
)

// ketama is a consistent ring: every server puts points on a circle of 32-bit
// numbers, and a hash belongs to the server of the first point at or after it.
// Each MD5 of "name-0", "name-1", … gives four points.
//
// The points are spread evenly, so the high bits of a hash tell nearly where to
// look: the circle is cut into at least as many arcs as there are points, and
// arcs holds the first point at or after the beginning of each.
type ketama struct {
	points []uint32 // ascending
	owners []uint16 // of each point
	arcs   []uint32
	shift  int // of a hash, to its arc
}

// ketamaPoints is how many points a server of mean weight has.
const ketamaPoints = 160

func newKetama(servers []Server) Distribution {
	type point struct {
		value uint32
		owner uint16
	}
	live, total := 0, 0
	for _, s := range servers {
		if s.Weight > 0 {
			live++
			total += s.Weight
		}
	}
	var all []point
	for i, s := range servers {
		for n := range ketamaSums(s.Weight, total, live) {
			sum := md5.Sum([]byte(s.Name + "-" + strconv.Itoa(n)))
			for at := 0; at < len(sum); at += 4 {
				all = append(all, point{binary.LittleEndian.Uint32(sum[at:]), uint16(i)})
			}
		}
	}
	// Two points at one place keep the order of their servers, as they do in a
	// merge sort.
	slices.SortStableFunc(all, func(a, b point) int { return cmp.Compare(a.value, b.value) })
	k := &ketama{points: make([]uint32, len(all)), owners: make([]uint16, len(all))}
	for i, p := range all {
		k.points[i], k.owners[i] = p.value, p.owner
	}
	k.index()
	return k
}

func (k *ketama) index() {
	width := bits.Len(uint(len(k.points)))
	k.shift = 32 - width
	k.arcs = make([]uint32, 1<<width)
	at := 0
	for arc := range k.arcs {
		for at < len(k.points) && k.points[at] < uint32(arc)<<k.shift {
			at++
		}
		k.arcs[arc] = uint32(at)
	}
}

// ketamaSums is how many MD5 sums a server gets: its part of 40 for each live
// server, in single precision like the original. The conversions keep a compiler
// from fusing operations and so from rounding differently.
func ketamaSums(weight, total, live int) int {
	if weight == 0 {
		return 0
	}
	part := float32(weight) / float32(total)
	share := float32(float32(float32(part*ketamaPoints)/4) * float32(live))
	return int(float32(float64(share) + 0.0000000001))
}

func (k *ketama) Pick(hash uint64) int {
	if len(k.points) == 0 {
		return -1
	}
	return int(k.owners[k.find(hash)])
}

// find returns the index of the first point at or after a hash.
func (k *ketama) find(hash uint64) int {
	h := uint32(hash)
	at := int(k.arcs[h>>k.shift])
	for at < len(k.points) && k.points[at] < h {
		at++
	}
	if at == len(k.points) {
		at = 0 // past the last point the circle begins again
	}
	return at
}
