package rfc9111

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func FuzzCacheControl(f *testing.F) {
	for _, s := range []string{"max-age=60", `private="a, b", no-cache="\"x"`, "max-age=99999999999999999999, ,=,", `a="`, "s-maxage = 5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := ParseCacheControl(s)
		for _, v := range []Seconds{d.MaxAge, d.SMaxAge, d.MaxStale, d.MinFresh, d.StaleIfError, d.StaleWhileRevalidate} {
			if v.N < 0 || v.N > MaxSeconds || v.Valid && !v.Present {
				t.Errorf("%q: %+v", s, v)
			}
		}
		// What is stricter stays when a directive is added behind it.
		if more := ParseCacheControl(s + `, max-age=5`); !strings.Contains(s, `"`) && d.NoStore && !more.NoStore {
			t.Errorf("%q lost no-store", s)
		}
		now := time.Unix(1e9, 0)
		m := Derive(Response{Status: 200, Header: Header{{"Cache-Control", s}, {"Age", s}, {"Expires", s}, {"Date", s}}, RequestTime: now, ResponseTime: now}, Rules{HeuristicMax: time.Hour})
		if m.Age(now) < 0 || m.Lifetime < 0 {
			t.Errorf("%q: %+v", s, m)
		}
	})
}

func FuzzVary(f *testing.F) {
	f.Add("accept-encoding, Accept", "gzip;q=0.5, *;q=0", "text/*;q=0.3,*/*")
	f.Fuzz(func(t *testing.T, vary, encoding, accept string) {
		request := Header{{"Accept-Encoding", encoding}, {"Accept", accept}, {"X", vary}}
		response := Header{{"Vary", vary}}
		s := Selector{Request: request}
		fields := s.Selecting(response)
		if !slices.IsSortedFunc(fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("not sorted: %v", fields)
		}
		again := Selector{Request: request}
		if !again.Matches(fields) {
			t.Errorf("a request does not select its own response: %q %q %q", vary, encoding, accept)
		}
		if n := NormalEncoding(encoding); NormalEncoding(n) != n {
			t.Errorf("normal form of %q is not stable: %q", encoding, n)
		}
		if n := NormalAccept(accept, nil); NormalAccept(n, nil) != n {
			t.Errorf("normal form of %q is not stable: %q", accept, n)
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=0-1,-5,7-", int64(10))
	f.Add("bytes=99999999999999999999-", int64(0))
	f.Fuzz(func(t *testing.T, value string, size int64) {
		if size < 0 {
			return
		}
		ranges, result := ParseRange(value, size)
		if (result == RangeSatisfiable) != (len(ranges) > 0) || len(ranges) > MaxRanges {
			t.Errorf("%q: %v %v", value, ranges, result)
		}
		total := int64(0)
		for _, r := range ranges {
			if r.Start < 0 || r.Start >= r.End || r.End > size {
				t.Errorf("%q of %d: %v", value, size, r)
			}
			total += r.End - r.Start
		}
		if total > size {
			t.Errorf("%q of %d: %d bytes", value, size, total)
		}
	})
}

func FuzzConditions(f *testing.F) {
	f.Add(`"a", W/"b"`, `"b"`, "/a/../b", "x.example")
	f.Fuzz(func(t *testing.T, list, etag, ref, host string) {
		m := Meta{ETag: etag}
		NotModified(Header{{"If-None-Match", list}}, &m)
		RangeApplies(Header{{"If-Range", list}}, &m)
		for _, target := range Invalidates("POST", host, "/a/b?c", 200, Header{{"Location", ref}, {"Content-Location", list}}) {
			if !strings.HasPrefix(target, "/") {
				t.Errorf("%q: target %q", ref, target)
			}
		}
	})
}

// The arithmetic of RFC 9111 4.2.3, step by step.
func TestAgeArithmetic(t *testing.T) {
	sent := time.Unix(1_000_000, 0).UTC()
	received := sent.Add(4 * time.Second)
	r := Response{Status: 200, RequestTime: sent, ResponseTime: received, Header: Header{
		{"Date", sent.Add(-6 * time.Second).Format(HTTPDate)}, {"Age", "20"}, {"Cache-Control", "max-age=60"}}}
	m := Derive(r, Rules{})
	// apparent_age = 1000004 - 999994 = 10; corrected_age_value = 20 + 4 = 24; the larger counts.
	if m.InitialAge != 24*time.Second {
		t.Errorf("corrected_initial_age %v, want 24s", m.InitialAge)
	}
	// current_age = 24 + resident 30 = 54; 6 s are left.
	if now := received.Add(30 * time.Second); m.Age(now) != 54*time.Second || m.TTL(now) != 6*time.Second {
		t.Errorf("age %v, ttl %v", m.Age(now), m.TTL(now))
	}
}

func TestTwoDigitYearsMoreThan50YearsAheadAreInThePast(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for text, year := range map[string]int{"Sunday, 06-Nov-94 08:49:37 GMT": 1994, "Friday, 06-Nov-26 08:49:37 GMT": 2026} {
		d, ok := ParseDate(text, now)
		if !ok || d.Year() != year {
			t.Errorf("%s: %v %v, want %d", text, d, ok, year)
		}
	}
}
