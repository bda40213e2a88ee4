package edge

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/front"
	"github.com/flotilla-dev/flotilla/internal/h1"
	"github.com/flotilla-dev/flotilla/internal/hop"
)

// prepare writes the head of the request to the upstream.
func (s *stream) prepare(route *route) error {
	r, x := s.r, &s.x
	b := append(append(x.Head[:0], r.Method...), ' ')
	b = append(b, r.RequestURI...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, r.Host...)
	b = append(b, '\r', '\n')
	var forwarded, parent, state string
	trailers := false
	for name, values := range r.Header {
		kind := h1.KindOf(name)
		switch kind {
		case h1.Host, h1.Expect, h1.Forwarding, h1.ContentLength:
			continue
		case h1.ForwardedFor:
			forwarded = strings.Join(values, ", ")
			continue
		case h1.TraceParent:
			parent = values[0]
			continue
		case h1.TraceState:
			state = strings.Join(values, ",")
			continue
		case h1.TE:
			trailers = true // HTTP/2 and HTTP/3 allow "trailers" only
			continue
		}
		if kind.EndsHere() {
			continue
		}
		for _, value := range values {
			b = append(append(b, name...), ':', ' ')
			b = append(append(b, value...), '\r', '\n')
		}
	}
	b = s.appendOwn(b, forwarded, trailers)
	x.Head = s.appendTrace(b, parent, state, route)
	return s.prepareBody(route)
}

func (s *stream) appendOwn(b []byte, forwarded string, trailers bool) []byte {
	client, chain := s.peer.text, s.peer.text
	if s.peer.trusted {
		client, chain = origin(forwarded, s.peer, s.trusted)
		s.entry.client = client
	}
	b = append(append(b, "X-Forwarded-For: "...), chain...)
	b = append(append(b, "\r\nX-Real-IP: "...), client...)
	b = append(b, "\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "...)
	b = append(b, s.r.Host...)
	b = append(append(b, "\r\nVia: "...), protocolNames[s.protocol][len("HTTP/"):]...)
	b = append(b, viaName...)
	if trailers {
		b = append(b, "TE: trailers\r\nConnection: TE\r\n"...)
	}
	return b
}

func (s *stream) appendTrace(b []byte, given, state string, r *route) []byte {
	parent := []byte(given)
	if !front.ValidParent(parent) {
		parent, state = nil, ""
	}
	if s.tracer != nil {
		s.span, parent = s.edge.span(parent, s.entry.method, r.label, s.protocol)
	}
	b = append(b, "traceparent: "...)
	at := len(b)
	if parent == nil {
		b = front.AppendParent(b)
	} else {
		b = append(b, parent...)
	}
	s.entry.trace = append(s.entry.trace[:0], b[at+3:at+35]...)
	if state != "" {
		b = append(append(b, "\r\ntracestate: "...), state...)
	}
	return append(b, '\r', '\n')
}

// prepareBody ends the head by what it says of the body, and starts the body.
func (s *stream) prepareBody(route *route) error {
	r, x := s.r, &s.x
	length := r.ContentLength
	if length < 0 && front.Replayable(r.Method) && r.Method != http.MethodPut {
		// The framing of HTTP/3, and of HTTP/2 where the head does not end the
		// stream, leaves open whether a body follows. These methods rarely have one,
		// and an upstream must not see one where there is none.
		ended, err := s.peek()
		if err != nil {
			return &hop.BodyError{Err: err}
		}
		if ended {
			length = 0
		}
	}
	x.Replay = length == 0 && front.Replayable(r.Method)
	x.ToHead = r.Method == http.MethodHead
	x.Timeout = route.timeout
	x.Body, x.Chunked, x.Expect, x.Upgrade = nil, false, false, false
	if length == 0 {
		if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			x.Head = append(x.Head, "Content-Length: 0\r\n"...)
		}
		x.Head = append(x.Head, '\r', '\n')
		return nil
	}
	if length > route.limit {
		return &hop.BodyError{Err: h1.ErrBodyTooLong}
	}
	expects := strings.EqualFold(r.Header.Get("Expect"), "100-continue")
	if s.body.r == nil {
		s.body.start(s)
	}
	s.body.limit = route.limit
	if length < 0 {
		x.Head = append(x.Head, "Transfer-Encoding: chunked\r\n"...)
	} else {
		x.Head = append(x.Head, "Content-Length: "...)
		x.Head = strconv.AppendInt(x.Head, length, 10)
		x.Head = append(x.Head, '\r', '\n')
	}
	if expects {
		x.Head = append(x.Head, "Expect: 100-continue\r\n"...)
	}
	x.Head = append(x.Head, '\r', '\n')
	if length > 0 && length <= front.SmallBody && !expects {
		at := len(x.Head)
		x.Head = append(x.Head, make([]byte, length)...)
		if _, err := io.ReadFull(&s.body, x.Head[at:]); err != nil {
			return &hop.BodyError{Err: err}
		}
		return nil
	}
	x.Body, x.Chunked, x.Expect = &s.body, length < 0, expects
	return nil
}
