package rfc9111

import (
	"strings"
	"time"
)

// validETag accepts an optional W/ and a quoted opaque tag.
func validETag(s string) bool {
	s = strings.TrimPrefix(s, "W/")
	return len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' && strings.IndexByte(s[1:len(s)-1], '"') < 0
}

// weakMatch is RFC 9110 8.8.3.2: the opaque tags are equal.
func weakMatch(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

// strongMatch: equal, and neither is weak.
func strongMatch(a, b string) bool {
	return a == b && a != "" && !strings.HasPrefix(a, "W/")
}

// NotModified evaluates If-None-Match, else If-Modified-Since, against a stored response (RFC 9111 4.3.2):
// true means answer 304. If-Modified-Since counts only without If-None-Match, and compares with
// Last-Modified, or with Date when there is none.
func NotModified(request Header, m *Meta) bool {
	if inm := request.Joined("If-None-Match"); inm != "" {
		return noneMatchHits(inm, m.ETag)
	}
	since := request.Get("If-Modified-Since")
	if since == "" {
		return false
	}
	t, ok := ParseDate(since, m.ResponseTime)
	if !ok || request.Count("If-Modified-Since") > 1 {
		return false
	}
	modified := m.Date
	if m.LastModifiedOK {
		modified = m.LastModified
	}
	return !modified.After(t)
}

// noneMatchHits walks the list; a comma may be part of an opaque tag.
func noneMatchHits(list, etag string) bool {
	list = trimOWS(list)
	if list == "*" {
		return true
	}
	for list != "" {
		list = strings.TrimLeft(list, " \t,")
		body := strings.TrimPrefix(list, "W/") // the weak comparison does not care
		if !strings.HasPrefix(body, `"`) {
			_, list, _ = strings.Cut(list, ",")
			continue
		}
		end := strings.IndexByte(body[1:], '"')
		if end < 0 {
			return false
		}
		tag := body[:end+2]
		list = body[end+2:]
		if etag != "" && weakMatch(tag, etag) {
			return true
		}
	}
	return false
}

// Conditional reports whether the request carries a precondition that only the origin can decide.
func Conditional(request Header) bool {
	return request.Has("If-Match") || request.Has("If-Unmodified-Since")
}

// Validators returns the fields that ask upstream whether the stored response is still good (4.3.1): both
// validators where there are both. Empty means that it cannot be validated.
func (m *Meta) Validators(h Header) Header {
	var v Header
	if m.ETag != "" {
		v = append(v, Field{"If-None-Match", m.ETag})
	}
	if m.LastModifiedOK {
		v = append(v, Field{"If-Modified-Since", h.Get("Last-Modified")})
	}
	return v
}

// Confirms reports whether a 304 is about this stored response (4.3.4): a strong validator has to match
// strongly, a weak one weakly, and one without validators is about what we asked for.
func Confirms(notModified Header, m *Meta) bool {
	if etag := trimOWS(notModified.Get("ETag")); etag != "" {
		if strings.HasPrefix(etag, "W/") || strings.HasPrefix(m.ETag, "W/") {
			return weakMatch(etag, m.ETag)
		}
		return strongMatch(etag, m.ETag)
	}
	if lm := notModified.Get("Last-Modified"); lm != "" && m.LastModifiedOK {
		t, ok := ParseDate(lm, m.ResponseTime)
		return ok && t.Equal(m.LastModified)
	}
	return true
}

// keptOn304 stay as stored: they describe the stored bytes (3.2).
var keptOn304 = [...]string{"Content-Length", "Content-Encoding", "Content-Range", "Content-Type", "Transfer-Encoding"}

// Freshen returns the stored fields updated by those of a 304 (RFC 9111 3.2): a field that the 304 carries
// replaces all stored lines of its name.
func Freshen(stored, notModified Header) Header {
	update := EndToEnd(notModified)
	for _, name := range keptOn304 {
		update = update.Del(name)
	}
	merged := make(Header, 0, len(stored)+len(update))
	for _, f := range stored {
		if !update.Has(f.Name) {
			merged = append(merged, f)
		}
	}
	return append(merged, update...)
}

// onlyOn200 are the fields that a 304 need not repeat (RFC 9110 15.4.5).
var onlyOn200 = [...]string{"Content-Length", "Content-Type", "Content-Encoding", "Content-Language", "Content-Range", "Accept-Ranges"}

// OmitOn304 reports whether a field is left out of the 304 that we generate.
func OmitOn304(name string) bool {
	for _, n := range onlyOn200 {
		if equalName(n, name) {
			return true
		}
	}
	return false
}

// RangeApplies evaluates If-Range (RFC 9110 13.1.5): absent, or a strong match of the entity tag, or the
// exact Last-Modified when that date is a strong validator (at least one second before Date).
func RangeApplies(request Header, m *Meta) bool {
	cond := trimOWS(request.Get("If-Range"))
	if cond == "" {
		return true
	}
	if strings.HasPrefix(cond, `"`) || strings.HasPrefix(cond, "W/") {
		return strongMatch(cond, m.ETag)
	}
	t, ok := ParseDate(cond, m.ResponseTime)
	return ok && m.LastModifiedOK && t.Equal(m.LastModified) && m.Date.Sub(m.LastModified) >= time.Second
}
