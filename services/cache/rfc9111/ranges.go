package rfc9111

import (
	"strconv"
	"strings"
)

// Range is a half-open part [Start, End) of a representation.
type Range struct {
	Start, End int64
}

// MaxRanges bounds how many parts one request may ask for; more, or overlapping ones, get the whole
// representation (RFC 9110 14.2 lets a server ignore such a Range).
const MaxRanges = 8

// RangeResult says how a Range field is to be answered.
type RangeResult uint8

// The results.
const (
	// RangeIgnored: no Range, an unknown unit, or a malformed one: answer 200.
	RangeIgnored RangeResult = iota
	// RangeSatisfiable: answer 206.
	RangeSatisfiable
	// RangeUnsatisfiable: answer 416.
	RangeUnsatisfiable
)

// ParseRange parses "bytes=…" for a representation of this size. Unsatisfiable members are dropped while
// one satisfiable remains.
func ParseRange(value string, size int64) ([]Range, RangeResult) {
	const unit = "bytes="
	if len(value) < len(unit) || !strings.EqualFold(value[:len(unit)], unit) {
		return nil, RangeIgnored
	}
	var ranges []Range
	members := 0
	for rest := value[len(unit):]; ; {
		var spec string
		var more bool
		spec, rest, more = strings.Cut(rest, ",")
		if spec = trimOWS(spec); spec != "" {
			members++
			r, satisfiable, ok := parseSpec(spec, size)
			if !ok || members > MaxRanges {
				return nil, RangeIgnored
			}
			if satisfiable {
				ranges = append(ranges, r)
			}
		}
		if !more {
			break
		}
	}
	switch {
	case members == 0:
		return nil, RangeIgnored
	case len(ranges) == 0:
		return nil, RangeUnsatisfiable
	case overlap(ranges):
		return nil, RangeIgnored
	}
	return ranges, RangeSatisfiable
}

func parseSpec(spec string, size int64) (r Range, satisfiable, ok bool) {
	from, to, found := strings.Cut(spec, "-")
	if !found {
		return r, false, false
	}
	from, to = trimOWS(from), trimOWS(to)
	if from == "" {
		n, ok := position(to)
		if !ok {
			return r, false, false
		}
		return Range{max(0, size-n), size}, n > 0 && size > 0, true
	}
	start, ok := position(from)
	if !ok {
		return r, false, false
	}
	end := size
	if to != "" {
		last, ok := position(to)
		if !ok || last < start {
			return r, false, false
		}
		if last < size {
			end = last + 1
		}
	}
	return Range{start, end}, start < size, true
}

// position parses digits; what does not fit in 63 bits saturates.
func position(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 2, true
	}
	return min(n, 1<<63-2), true
}

func overlap(ranges []Range) bool {
	for i, a := range ranges {
		for _, b := range ranges[:i] {
			if a.Start < b.End && b.Start < a.End {
				return true
			}
		}
	}
	return false
}

// ContentRange formats the Content-Range of one part.
func (r Range) ContentRange(size int64) string {
	b := make([]byte, 0, 48)
	b = append(b, "bytes "...)
	b = strconv.AppendInt(b, r.Start, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, r.End-1, 10)
	b = append(b, '/')
	return string(strconv.AppendInt(b, size, 10))
}
