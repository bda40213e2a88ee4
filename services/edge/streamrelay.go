package edge

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/h1"
)

// pieces are buffers of answers on their way.
var pieces = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// relay sends the answer of the replica to the client.
func (s *stream) relay() error {
	x := &s.x
	length := x.Length()
	s.copyHead(length)
	s.w.WriteHeader(x.Response.Status)
	buf, _ := pieces.Get().(*[32 << 10]byte)
	defer pieces.Put(buf)
	for !x.Done() {
		if length != 0 && !x.Ready() {
			// Nothing more is here: what was written must not wait for it.
			if err := s.flush(); err != nil {
				return err
			}
		}
		n, err := x.Read(buf[:])
		if n > 0 {
			if _, err := s.w.Write(buf[:n]); err != nil {
				return err
			}
			s.entry.sent += int64(n)
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	for i := range x.Trailers() {
		field := &x.Trailers()[i]
		s.w.Header().Add(http.TrailerPrefix+string(field.Name), string(field.Value))
	}
	return nil
}

// flush passes on what was written. An answer that takes longer than one piece
// has to be taken in time, too.
func (s *stream) flush() error {
	control := http.NewResponseController(s.w)
	if err := control.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout + s.cfg.StreamIdle)); err != nil {
		return err
	}
	return control.Flush()
}

// copyHead copies the head of the answer. The fields' values share one slice,
// so that a head costs few allocations.
func (s *stream) copyHead(length int64) {
	p, h := &s.x.Response, s.w.Header()
	values := make([]string, 0, len(p.Fields)+2)
	add := func(name, value string) {
		values = append(values, value)
		if old := h[name]; old != nil {
			h[name] = append(old, value)
		} else {
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	for i := range p.Fields {
		field := &p.Fields[i]
		if field.Kind == h1.EdgeOnly || !p.Forward(field) {
			continue
		}
		add(canonical(field.Name), string(field.Value))
	}
	switch {
	case length > 0:
		add("Content-Length", strconv.FormatInt(length, 10))
	case length == 0 && p.Declared() >= 0:
		add("Content-Length", strconv.FormatInt(p.Declared(), 10))
	}
	if h["Content-Type"] == nil && length != 0 {
		h["Content-Type"] = nil // what the upstream does not know, nobody guesses
	}
	s.announceOn(h)
}

// interim passes a 1xx answer on. The servers send a 100 themselves when the
// body is read.
func (s *stream) interim(p *h1.Response) error {
	if p.Status == http.StatusContinue {
		return nil
	}
	h := s.w.Header()
	for i := range p.Fields {
		if field := &p.Fields[i]; field.Kind != h1.EdgeOnly && p.Forward(field) {
			h.Add(string(field.Name), string(field.Value))
		}
	}
	s.w.WriteHeader(p.Status)
	clear(h)
	return nil
}

// canonical is the key of a field name in an http.Header. The usual ones cost
// nothing.
func canonical(name []byte) string {
	if known, ok := usualNames[string(name)]; ok {
		return known
	}
	return http.CanonicalHeaderKey(string(name))
}

var usualNames = usual("Accept-Ranges", "Age", "Cache-Control", "Cache-Status", "Content-Encoding", "Content-Language",
	"Content-Security-Policy", "Content-Type", "Date", "Etag", "Expires", "Last-Modified", "Link", "Location",
	"Referrer-Policy", "Retry-After", "Server", "Set-Cookie", "Vary", "X-Content-Type-Options", "X-Served-By",
	"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Ratelimit", "Ratelimit-Policy")

// usual maps the canonical and the lower-case spelling.
func usual(names ...string) map[string]string {
	m := map[string]string{"ETag": "Etag", "X-RateLimit-Limit": "X-Ratelimit-Limit", "X-RateLimit-Remaining": "X-Ratelimit-Remaining",
		"X-RateLimit-Reset": "X-Ratelimit-Reset", "RateLimit": "Ratelimit", "RateLimit-Policy": "Ratelimit-Policy"}
	for _, name := range names {
		m[name] = name
		lower := []byte(name)
		for i, c := range lower {
			if 'A' <= c && c <= 'Z' {
				lower[i] = c | 0x20
			}
		}
		m[string(lower)] = name
	}
	return m
}
