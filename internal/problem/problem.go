// Package problem is the one shape of an error answer: RFC 9457 problem details.
//
// The type is a stable URI that programs may compare and people may open; the
// detail says what is wrong with this request and what would be right. Texts of
// internal errors never belong in either.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// ContentType of an answer that carries a problem.
const ContentType = "application/problem+json"

// Base is the prefix of every problem type; the rest is a heading of that page.
const Base = "https://github.com/flotilla-dev/flotilla/blob/main/docs/problems.md#"

// Problem is an error that may be shown to a client.
type Problem struct {
	Type       string         // Base + a stable name
	Title      string         // the same for all problems of a type
	Status     int            // of HTTP
	Detail     string         // about this occurrence
	RetryAfter time.Duration  // when > 0, sent as Retry-After in whole seconds, rounded up
	Allow      string         // when set, sent as Allow, which every 405 has (RFC 9110, 15.5.6)
	Extra      map[string]any // extension members
}

// New returns a problem of the named type, as in New(404, "word-not-found", …).
func New(status int, name, detail string) *Problem {
	return &Problem{Type: Base + name, Title: http.StatusText(status), Status: status, Detail: detail}
}

// Error makes a problem usable as the error of a handler.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// With returns a copy that has one more extension member.
func (p *Problem) With(name string, value any) *Problem {
	extended := *p
	extended.Extra = map[string]any{name: value}
	for k, v := range p.Extra {
		extended.Extra[k] = v
	}
	return &extended
}

// Retry returns a copy that asks the client to come back after d.
func (p *Problem) Retry(d time.Duration) *Problem {
	later := *p
	later.RetryAfter = d
	return &later
}

// RetryAfterSeconds is the value of the Retry-After field, or "" for none.
func (p *Problem) RetryAfterSeconds() string {
	if p.RetryAfter <= 0 {
		return ""
	}
	return strconv.FormatInt(int64((p.RetryAfter+time.Second-1)/time.Second), 10)
}

// MarshalJSON writes the members of RFC 9457 and the extensions side by side.
func (p *Problem) MarshalJSON() ([]byte, error) {
	members := map[string]any{}
	for name, value := range p.Extra {
		members[name] = value
	}
	members["type"], members["title"], members["status"] = p.Type, p.Title, p.Status
	if p.Detail != "" {
		members["detail"] = p.Detail
	}
	return json.Marshal(members)
}

// Write answers a request with the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	body, err := json.Marshal(p)
	if err != nil { // an extension that JSON cannot express: the problem itself still can
		body, _ = json.Marshal(New(p.Status, "internal", ""))
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	if after := p.RetryAfterSeconds(); after != "" {
		h.Set("Retry-After", after)
	}
	if p.Allow != "" {
		h.Set("Allow", p.Allow)
	}
	h.Del("Content-Length")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
