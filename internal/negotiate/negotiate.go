// Package negotiate chooses a representation by the Accept and Accept-Encoding
// fields (RFC 9110, section 12.5), quality values included.
package negotiate

import (
	"strconv"
	"strings"
)

// maxElements bounds what is read of a field: nobody needs more.
const maxElements = 64

// element is a member of a list with its weight.
type element struct {
	name string // lower case, parameters removed
	q    float64
	more int // parameters other than q
}

// Accept returns the offer that the client likes best, the first of equals; or
// false when it accepts none. Offers are media types without parameters. Without
// the field, or with none of its members readable, everything is acceptable.
func Accept(field string, offers ...string) (string, bool) {
	members := parse(field)
	if len(members) == 0 {
		return offers[0], true
	}
	best, bestQ := "", 0.0
	for _, offer := range offers {
		if q := quality(members, offer); q > bestQ {
			best, bestQ = offer, q
		}
	}
	return best, best != ""
}

// quality is the weight of the most specific range that matches an offer.
func quality(members []element, offer string) float64 {
	q, found := 0.0, -1
	family, _, _ := strings.Cut(offer, "/")
	for _, m := range members {
		specific := -1
		switch m.name {
		case offer:
			specific = 2
		case family + "/*":
			specific = 1
		case "*/*":
			specific = 0
		}
		// A range with parameters (application/json;version=2) is for something
		// that is not offered; text/html;charset=utf-8 is.
		if m.more > 0 {
			specific = -1
		}
		if specific > found {
			q, found = m.q, specific
		}
	}
	return q
}

// Gzip tells whether an answer should be sent as gzip: the client takes it, and
// likes it at least as well as the plain one.
func Gzip(field string) bool {
	gzip, identity, any := -1.0, -1.0, -1.0
	for _, m := range parse(field) {
		switch m.name {
		case "gzip", "x-gzip":
			gzip = m.q
		case "identity":
			identity = m.q
		case "*":
			any = m.q
		}
	}
	if gzip < 0 {
		gzip = any
	}
	return gzip > 0 && gzip >= identity
}

// parse reads a list of names with weights. Members that are malformed are left
// out.
func parse(field string) []element {
	if field == "" {
		return nil
	}
	var members []element
	for part := range strings.SplitSeq(field, ",") {
		if len(members) == maxElements {
			break
		}
		name, params, _ := strings.Cut(part, ";")
		m := element{name: strings.ToLower(strings.TrimSpace(name)), q: 1}
		if m.name == "" || strings.ContainsAny(m.name, " \t\"") || !m.parameters(params) {
			continue
		}
		members = append(members, m)
	}
	return members
}

func (m *element) parameters(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		switch strings.ToLower(name) {
		case "":
		case "charset": // everything here is UTF-8
		case "q":
			q, ok := weight(value)
			if !ok {
				return false
			}
			m.q = q
		default:
			m.more++
		}
	}
	return true
}

// weight reads a qvalue: 0 to 1 with at most three decimals.
func weight(value string) (float64, bool) {
	if len(value) == 0 || len(value) > 5 || value[0] != '0' && value[0] != '1' {
		return 0, false
	}
	for i := range len(value) {
		if c := value[i]; (i == 1) != (c == '.') || i != 1 && (c < '0' || c > '9') {
			return 0, false
		}
	}
	q, err := strconv.ParseFloat(value, 64)
	return q, err == nil && q <= 1
}
