package sharding

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
)

// A Hash makes a number of a key. Functions of 32 bits fill the low half.
type Hash func(key []byte) uint64

// HashNamed returns the hash function with a name of twemproxy's.
func HashNamed(name string) (Hash, error) {
	h, known := hashes[name]
	if !known {
		return nil, fmt.Errorf("%q is no hash: want one of %s", name, strings.Join(HashNames(), ", "))
	}
	return h, nil
}

// HashNames lists the names that HashNamed knows, sorted.
func HashNames() []string { return slices.Sorted(maps.Keys(hashes)) }

var hashes = map[string]Hash{
	"one_at_a_time": oneAtATime,
	"md5":           md5Low,
	"crc16":         crc16,
	"crc32":         func(key []byte) uint64 { return uint64(crc32.ChecksumIEEE(key) >> 16 & 0x7fff) },
	"crc32a":        func(key []byte) uint64 { return uint64(crc32.ChecksumIEEE(key)) },
	"fnv1_64":       func(key []byte) uint64 { return fnv1(key, fnvOffset64, fnvPrime64) },
	"fnv1a_64":      func(key []byte) uint64 { return fnv1a(key, fnvOffset64, fnvPrime64) },
	"fnv1_32":       func(key []byte) uint64 { return fnv1(key, fnvOffset32, fnvPrime32) },
	"fnv1a_32":      func(key []byte) uint64 { return fnv1a(key, fnvOffset32, fnvPrime32) },
	"hsieh":         hsieh,
	"murmur":        murmur,
	"jenkins":       jenkins,
}

// Offset and prime of FNV. Only the low halves of those of 64 bits are needed:
// neither a product nor an exclusive or brings a high bit down.
const (
	fnvOffset32 = 0x811c9dc5
	fnvPrime32  = 0x01000193
	fnvOffset64 = 0x84222325
	fnvPrime64  = 0x000001b3
)

// signed is a byte as C's char on amd64, widened.
func signed(c byte) uint32 { return uint32(int32(int8(c))) }

func fnv1(key []byte, h, prime uint32) uint64 {
	for _, c := range key {
		h = h*prime ^ signed(c)
	}
	return uint64(h)
}

func fnv1a(key []byte, h, prime uint32) uint64 {
	for _, c := range key {
		h = (h ^ signed(c)) * prime
	}
	return uint64(h)
}

// oneAtATime is the first hash of Bob Jenkins.
func oneAtATime(key []byte) uint64 {
	var h uint32
	for _, c := range key {
		h += signed(c)
		h += h << 10
		h ^= h >> 6
	}
	h += h << 3
	h ^= h >> 11
	h += h << 15
	return uint64(h)
}

func md5Low(key []byte) uint64 {
	sum := md5.Sum(key)
	return uint64(binary.LittleEndian.Uint32(sum[:]))
}

// crc16 is CRC-16/XMODEM in a register of 32 bits that is never masked.
func crc16(key []byte) uint64 {
	var crc uint32
	for _, c := range key {
		crc = crc<<8 ^ crc16Table[byte(crc>>8)^c]
	}
	return uint64(crc)
}

var crc16Table = func() (table [256]uint32) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= 0x1021
			}
		}
		table[i] = uint32(crc)
	}
	return table
}()
