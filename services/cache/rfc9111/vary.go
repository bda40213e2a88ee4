package rfc9111

import (
	"slices"
	"strings"
)

// VaryNames lists the field names that Vary nominates, in lower case, sorted, without duplicates.
func VaryNames(h Header) []string {
	var names []string
	for list := h.Joined("Vary"); list != ""; {
		var name string
		name, list, _ = strings.Cut(list, ",")
		if name = strings.ToLower(trimOWS(name)); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func variesOnAll(h Header) bool {
	v := h.Joined("Vary")
	return v != "" && slices.Contains(VaryNames(h), "*")
}

// Selector gives the selecting values of one request, normalised, so that requests that the origin cannot
// tell apart share one stored response (RFC 9111 4.1 allows normalising in ways known to be equivalent).
//
// Accept-Encoding becomes the sorted set of accepted codings among br, gzip and zstd. Accept becomes the
// one of Offers that the client prefers; without offers, its members in canonical form. Any other field is
// compared as its lines joined, without outer whitespace.
type Selector struct {
	Request Header
	// Offers are the media types that the origin can produce, best first.
	Offers []string

	encoding, accept   string
	encodingOK, typeOK bool
}

// Value returns the normalised value of a field (named in lower case).
func (s *Selector) Value(name string) string {
	switch name {
	case "accept-encoding":
		if !s.encodingOK {
			s.encoding, s.encodingOK = NormalEncoding(s.Request.Joined("Accept-Encoding")), true
		}
		return s.encoding
	case "accept":
		if !s.typeOK {
			s.accept, s.typeOK = NormalAccept(s.Request.Joined("Accept"), s.Offers), true
		}
		return s.accept
	}
	return trimOWS(s.Request.Joined(name))
}

// Matches reports whether the request selects a response stored with these selecting values (name in lower
// case, normalised value).
func (s *Selector) Matches(selecting []Field) bool {
	for i := range selecting {
		if s.Value(selecting[i].Name) != selecting[i].Value {
			return false
		}
	}
	return true
}

// Selecting returns the selecting values that the response's Vary nominates.
func (s *Selector) Selecting(response Header) []Field {
	names := VaryNames(response)
	fields := make([]Field, len(names))
	for i, name := range names {
		fields[i] = Field{name, strings.Clone(s.Value(name))}
	}
	return fields
}

// The bits of an accepted set of codings, and the value for each set.
const (
	codingBrotli = 1 << iota
	codingGzip
	codingZstd
)

var codingSets = [8]string{"", "br", "gzip", "br, gzip", "zstd", "br, zstd", "gzip, zstd", "br, gzip, zstd"}

// NormalEncoding reduces Accept-Encoding to the set of codings that matter.
func NormalEncoding(value string) string {
	named, set, star := 0, 0, false
	for value != "" {
		var member string
		member, value, _ = strings.Cut(value, ",")
		name, q := weighted(member)
		bit := codingBit(name)
		switch {
		case name == "*":
			star = q > 0
		case bit != 0:
			named |= bit
			if q > 0 {
				set |= bit
			}
		}
	}
	if star {
		set |= 7 &^ named
	}
	return codingSets[set]
}

func codingBit(name string) int {
	switch {
	case strings.EqualFold(name, "br"):
		return codingBrotli
	case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
		return codingGzip
	case strings.EqualFold(name, "zstd"):
		return codingZstd
	}
	return 0
}

// weighted splits "value;q=0.5" and returns the weight in thousandths; a malformed weight counts as 1.
func weighted(member string) (name string, q int) {
	name, params, _ := strings.Cut(member, ";")
	q = 1000
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		p = trimOWS(p)
		if len(p) > 2 && (p[0] == 'q' || p[0] == 'Q') && p[1] == '=' {
			q = quality(p[2:])
		}
	}
	return trimOWS(name), q
}

// quality parses 0, 0.5, 1.000 into thousandths.
func quality(s string) int {
	whole, frac, _ := strings.Cut(s, ".")
	if whole == "1" {
		return 1000
	}
	if whole != "0" || len(frac) > 3 || strings.Trim(frac, "0123456789") != "" {
		return 1000
	}
	q, scale := 0, 100
	for i := range len(frac) {
		q += int(frac[i]-'0') * scale
		scale /= 10
	}
	return q
}

// NormalAccept picks the offer that the client prefers: by weight of the most specific matching range, then
// by the order of the offers. An absent Accept takes the first offer. When nothing matches, or there are no
// offers, the canonical form of the field remains.
func NormalAccept(value string, offers []string) string {
	if len(offers) == 0 {
		return canonicalAccept(value)
	}
	if trimOWS(value) == "" {
		return offers[0]
	}
	best, bestQ := "", 0
	for _, offer := range offers {
		if q := acceptWeight(value, offer); q > bestQ {
			best, bestQ = offer, q
		}
	}
	if best == "" {
		return canonicalAccept(value)
	}
	return best
}

// acceptWeight is the weight of the most specific range in value that covers the type.
func acceptWeight(value, offer string) int {
	weight, specificity := 0, -1
	kind, _, _ := strings.Cut(offer, "/")
	for value != "" {
		var member string
		member, value, _ = strings.Cut(value, ",")
		name, q := weighted(member)
		s := -1
		switch {
		case strings.EqualFold(name, offer):
			s = 2
		case len(name) == len(kind)+2 && strings.HasSuffix(name, "/*") && strings.EqualFold(name[:len(kind)], kind):
			s = 1
		case name == "*/*":
			s = 0
		}
		if s > specificity {
			weight, specificity = q, s
		}
	}
	return weight
}

// canonicalAccept lower-cases, removes whitespace, and sorts the members: their order has no meaning.
func canonicalAccept(value string) string {
	if trimOWS(value) == "" {
		return ""
	}
	members := strings.Split(strings.ToLower(value), ",")
	for i, m := range members {
		members[i] = strings.Join(strings.Fields(m), "")
	}
	slices.Sort(members)
	return strings.Trim(strings.Join(slices.Compact(members), ","), ",")
}
