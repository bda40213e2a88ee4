package limit

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"strconv"
)

// Kind is the kind of identity that a limit counts.
type Kind uint8

// The kinds. Overflow is nobody in particular: the bucket that those share who could not be tracked.
const (
	Anonymous Kind = iota
	Login
	Overflow
	kinds
)

// String is the kind as a label value.
func (k Kind) String() string {
	switch k {
	case Login:
		return "login"
	case Overflow:
		return "overflow"
	}
	return "anonymous"
}

// Identity is whom a request is counted for. It compares cheaply and is the same in every replica.
type Identity struct {
	kind   Kind
	hi, lo uint64
	login  string // for the log only
}

// OfAddress is the identity of a client address. An IPv6 address stands for its /64: that is what one
// customer gets, and all of it is his to send from.
func OfAddress(a netip.Addr) Identity {
	a = a.Unmap()
	if a.Is4() {
		b := a.As4()
		return Identity{hi: 0, lo: 0xffff_0000_0000 | uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := a.As16() // of the zero Addr: all zero, so that unknown peers share one identity
	return Identity{hi: binary.BigEndian.Uint64(b[:8])}
}

// OfLogin is the identity of the subject of a verified token.
func OfLogin(subject string) Identity {
	d := sha256.Sum256([]byte(subject))
	return Identity{kind: Login, hi: binary.BigEndian.Uint64(d[:8]), lo: binary.BigEndian.Uint64(d[8:16]), login: subject}
}

// Kind is the kind of the identity.
func (i Identity) Kind() Kind { return i.kind }

// String is the identity for a log: an address, a network, or a subject.
func (i Identity) String() string {
	switch {
	case i.kind == Login:
		return i.login
	case i.kind == Overflow:
		return "overflow"
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], i.hi)
	binary.BigEndian.PutUint64(b[8:], i.lo)
	a := netip.AddrFrom16(b)
	if a.Is4In6() {
		return a.Unmap().String()
	}
	return netip.PrefixFrom(a, 64).String()
}

// key is what an entry is found by: an identity in a class.
type key struct {
	hi, lo uint64
	class  uint32
	kind   Kind
}

// redis is the name of the key's bucket in the store. A login appears as a digest.
func (k key) redis(class string) string {
	b := make([]byte, 0, len(class)+40)
	b = append(append(b, class...), ':', "alo"[k.kind], ':')
	b = strconv.AppendUint(b, k.hi, 16)
	b = append(b, '.')
	return string(strconv.AppendUint(b, k.lo, 16))
}
