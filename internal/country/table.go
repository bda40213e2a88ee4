package country

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// A Code is an ISO 3166-1 country code of two capital letters. The zero value stands for no known country.
type Code [2]byte

// Known tells whether the code is that of a country.
func (c Code) Known() bool { return c != Code{} }

// String is the code, or "" of the zero value.
func (c Code) String() string {
	if !c.Known() {
		return ""
	}
	return string(c[:])
}

// parseCode reads a code in capital letters. That it is in use is not asked: codes come and go.
func parseCode(text string) (Code, error) {
	if len(text) != 2 || text[0] < 'A' || text[0] > 'Z' || text[1] < 'A' || text[1] > 'Z' {
		return Code{}, fmt.Errorf("%q is no country: want two capital letters such as DE", text)
	}
	return Code{text[0], text[1]}, nil
}

// A Network is an entry of a table.
type Network struct {
	Prefix  netip.Prefix
	Country Code
}

// A Table tells the country of an address. The nil *Table knows none.
type Table struct {
	starts []place // ascending; the first place of a stretch that has one country
	codes  []Code  // of each stretch; zero where no network covers it
}

// place is an address as a number of 128 bits. IPv4 is where IPv6 maps it.
type place struct{ high, low uint64 }

func placeOf(a netip.Addr) place {
	bytes := a.As16()
	return place{binary.BigEndian.Uint64(bytes[:8]), binary.BigEndian.Uint64(bytes[8:])}
}

func (p place) compare(q place) int {
	if p.high != q.high {
		return cmp.Compare(p.high, q.high)
	}
	return cmp.Compare(p.low, q.low)
}

// after is the place that follows the last one of a network, and false where none does.
func (p place) after(bits int) (place, bool) {
	switch {
	case bits == 0:
		return place{}, false
	case bits <= 64:
		p.high += 1 << (64 - bits)
		return p, p.high != 0
	}
	if p.low += 1 << (128 - bits); p.low == 0 {
		p.high++
	}
	return p, p.low != 0 || p.high != 0
}

// New builds a table. Where networks lie inside one another the narrowest counts; one that is there twice
// with two countries is an error.
func New(networks []Network) (*Table, error) {
	all := make([]stretch, 0, len(networks))
	for _, n := range networks {
		s, err := newStretch(n)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b stretch) int {
		return cmp.Or(a.start.compare(b.start), cmp.Compare(a.bits, b.bits))
	})
	t := &Table{}
	var open []stretch // networks that cover where we are, the narrowest last
	for i, s := range all {
		if i > 0 && s.start == all[i-1].start && s.bits == all[i-1].bits {
			if s.code != all[i-1].code {
				return nil, fmt.Errorf("%v is in %s and in %s", s.prefix, all[i-1].code, s.code)
			}
			continue
		}
		open = t.closeBefore(open, &s.start)
		t.begin(s.start, s.code)
		open = append(open, s)
	}
	t.closeBefore(open, nil)
	return t, nil
}

// A stretch is a network as numbers.
type stretch struct {
	start  place
	bits   int // of 128
	code   Code
	prefix netip.Prefix
}

func newStretch(n Network) (stretch, error) {
	if !n.Prefix.IsValid() || !n.Country.Known() {
		return stretch{}, fmt.Errorf("network %v of country %q", n.Prefix, n.Country)
	}
	bits := n.Prefix.Bits()
	if n.Prefix.Addr().Is4() {
		bits += 96
	}
	return stretch{placeOf(n.Prefix.Masked().Addr()), bits, n.Country, n.Prefix.Masked()}, nil
}

// closeBefore ends the networks that end at or before a place, nil for all; where one ends, the one around it goes on.
func (t *Table) closeBefore(open []stretch, at *place) []stretch {
	for len(open) > 0 {
		last := open[len(open)-1]
		end, more := last.start.after(last.bits)
		if at != nil && (!more || end.compare(*at) > 0) {
			return open
		}
		open = open[:len(open)-1]
		if !more {
			continue
		}
		var around Code
		if len(open) > 0 {
			around = open[len(open)-1].code
		}
		t.begin(end, around)
	}
	return open
}

// begin says that from a place on the country is another one.
func (t *Table) begin(at place, code Code) {
	if last := len(t.starts) - 1; last >= 0 && t.starts[last] == at {
		t.starts, t.codes = t.starts[:last], t.codes[:last] // a narrower network begins, or ends, at the same place
	}
	if last := len(t.starts) - 1; last >= 0 && t.codes[last] == code {
		return
	}
	t.starts, t.codes = append(t.starts, at), append(t.codes, code)
}

// Of is the country of an address; the zero Code where it is unknown.
func (t *Table) Of(a netip.Addr) Code {
	if t == nil || !a.IsValid() {
		return Code{}
	}
	at, exact := slices.BinarySearchFunc(t.starts, placeOf(a), place.compare)
	if !exact {
		at--
	}
	if at < 0 {
		return Code{}
	}
	return t.codes[at]
}

// Len is the number of stretches of addresses that the table tells apart.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return len(t.starts)
}
