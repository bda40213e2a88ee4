package rfc9111

import (
	"strings"
	"time"
)

// MaxSeconds is what a delta-seconds too large to represent becomes (RFC 9111 1.2.2): 2^31.
const MaxSeconds = 1 << 31

// Seconds is an optional delta-seconds.
type Seconds struct {
	Present bool
	// Valid is false for an argument that is no number: such freshness information counts as stale.
	Valid bool
	N     int64
}

// Duration converts; an absent or invalid value is 0.
func (s Seconds) Duration() time.Duration {
	if !s.Valid {
		return 0
	}
	return time.Duration(s.N) * time.Second
}

// Directives is a parsed Cache-Control, of a request or of a response; the unused half stays zero.
type Directives struct {
	MaxAge, SMaxAge, MaxStale, MinFresh, StaleWhileRevalidate, StaleIfError Seconds

	NoCache, NoStore, NoTransform, OnlyIfCached     bool
	MustRevalidate, ProxyRevalidate, MustUnderstand bool
	Public, Private, Immutable, MaxStaleAny         bool
	// PrivateFields and NoCacheFields are the arguments of the qualified forms, such as private="x-user".
	// A qualified directive does not set Private or NoCache.
	PrivateFields, NoCacheFields []string
}

// ParseCacheControl parses all Cache-Control lines of a message, already joined.
//
// Names are compared without case; an argument may be a token or a quoted string; unknown directives are
// ignored (RFC 9111 5.2.3); of a repeated directive the first one counts (4.2.1).
func ParseCacheControl(value string) Directives {
	var d Directives
	for value != "" {
		var name, arg string
		var hasArg bool
		name, arg, hasArg, value = nextDirective(value)
		if name != "" {
			d.set(name, arg, hasArg)
		}
	}
	return d
}

func (d *Directives) set(name, arg string, hasArg bool) {
	switch strings.ToLower(name) {
	case "max-age":
		seconds(&d.MaxAge, arg)
	case "s-maxage":
		seconds(&d.SMaxAge, arg)
	case "max-stale":
		if hasArg {
			seconds(&d.MaxStale, arg)
		} else {
			d.MaxStaleAny = true
		}
	case "min-fresh":
		seconds(&d.MinFresh, arg)
	case "stale-while-revalidate":
		seconds(&d.StaleWhileRevalidate, arg)
	case "stale-if-error":
		seconds(&d.StaleIfError, arg)
	case "no-cache":
		d.NoCache = d.qualified(&d.NoCacheFields, arg) || d.NoCache
	case "private":
		d.Private = d.qualified(&d.PrivateFields, arg) || d.Private
	case "no-store":
		d.NoStore = true
	case "no-transform":
		d.NoTransform = true
	case "only-if-cached":
		d.OnlyIfCached = true
	case "must-revalidate":
		d.MustRevalidate = true
	case "proxy-revalidate":
		d.ProxyRevalidate = true
	case "must-understand":
		d.MustUnderstand = true
	case "public":
		d.Public = true
	case "immutable":
		d.Immutable = true
	}
}

// qualified adds the field names of arg and reports whether the directive is the unqualified form. An
// argument without any name counts as unqualified: the stricter reading.
func (d *Directives) qualified(into *[]string, arg string) bool {
	found := false
	for arg != "" {
		var name string
		name, arg, _ = strings.Cut(arg, ",")
		if name = trimOWS(name); name != "" {
			*into = append(*into, name)
			found = true
		}
	}
	return !found
}

// seconds keeps the first occurrence.
func seconds(s *Seconds, arg string) {
	if s.Present {
		return
	}
	n, ok := ParseDeltaSeconds(arg)
	*s = Seconds{Present: true, Valid: ok, N: n}
}

// ParseDeltaSeconds parses a non-negative whole number; one too large becomes [MaxSeconds].
func ParseDeltaSeconds(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		if n < MaxSeconds {
			n = n*10 + int64(c-'0')
		}
	}
	return min(n, MaxSeconds), true
}

// nextDirective cuts one list member: name, argument (unquoted), whether there was "=", and the rest.
func nextDirective(s string) (name, arg string, hasArg bool, rest string) {
	s = strings.TrimLeft(s, " \t,")
	end := strings.IndexAny(s, ",=")
	if end < 0 {
		return trimOWS(s), "", false, ""
	}
	name = trimOWS(s[:end])
	if s[end] == ',' {
		return name, "", false, s[end+1:]
	}
	s = strings.TrimLeft(s[end+1:], " \t")
	if strings.HasPrefix(s, `"`) {
		arg, rest = quotedString(s)
		_, rest, _ = strings.Cut(rest, ",")
		return name, arg, true, rest
	}
	arg, rest, _ = strings.Cut(s, ",")
	return name, trimOWS(arg), true, rest
}

// quotedString unquotes the string that s starts with and returns what follows it. An unterminated one
// reaches to the end.
func quotedString(s string) (value, rest string) {
	end := strings.IndexByte(s[1:], '"')
	if end >= 0 && strings.IndexByte(s[1:end+1], '\\') < 0 {
		return s[1 : end+1], s[end+2:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// RequestDirectives reads what a request asks of caches. Pragma: no-cache counts as Cache-Control:
// no-cache when there is no Cache-Control (RFC 9111 5.4, kept for old clients).
func RequestDirectives(h Header) Directives {
	cc := h.Joined("Cache-Control")
	if cc == "" {
		if p := h.Get("Pragma"); p != "" && listHas(p, "no-cache") {
			return Directives{NoCache: true}
		}
		return Directives{}
	}
	return ParseCacheControl(cc)
}
