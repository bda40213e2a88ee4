package shardkey

import (
	"bytes"
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/country"
)

// A source is the kind of a part.
type source string

const (
	uri       source = "uri"
	path      source = "path"
	client    source = "client"
	byCountry source = "country"
	header    source = "header"
	cookie    source = "cookie"
	inContext source = "context"
)

// A part is one source of a key, with the name of the field or the cookie.
type part struct {
	source  source
	name    string
	session source // of a context: whether its session is named by a header field or a cookie
}

var (
	errUnknown = errors.New("want uri, path, client, country, header:NAME, cookie:NAME, context:header:NAME or context:cookie:NAME")
	errSession = errors.New("want what names the session after context:, header:NAME or cookie:NAME")
)

// maxName bounds the name of a field or cookie.
const maxName = 128

func parsePart(text string) (part, error) {
	kind, name, named := strings.Cut(text, ":")
	switch p := (part{source: source(kind), name: name}); p.source {
	case uri, path, client, byCountry:
		if named {
			return part{}, fmt.Errorf("%s takes no name", kind)
		}
		return p, nil
	case header, cookie:
		if !token(name) {
			return part{}, fmt.Errorf("want the name of a %s after %s:, of letters, digits and %s", kind, kind, others)
		}
		if p.source == header {
			p.name = textproto.CanonicalMIMEHeaderKey(name)
		}
		return p, nil
	case inContext:
		return parseContext(name)
	}
	return part{}, errUnknown
}

// parseContext reads what names the session whose context is the part.
func parseContext(text string) (part, error) {
	of, err := parsePart(text)
	switch {
	case errors.Is(err, errUnknown), err == nil && of.source != header && of.source != cookie:
		return part{}, errSession
	case err != nil:
		return part{}, err
	}
	return part{source: inContext, name: of.name, session: of.source}, nil
}

// others are what a token of RFC 9110 has beside letters and digits, less the plus sign that joins parts.
const others = "!#$%&'*-.^_`|~"

func token(name string) bool {
	for _, c := range []byte(name) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return name != "" && len(name) <= maxName
}

func (p part) String() string {
	switch {
	case p.name == "":
		return string(p.source)
	case p.session != "":
		return string(p.source) + ":" + string(p.session) + ":" + p.name
	}
	return string(p.source) + ":" + p.name
}

// append adds the part, or nothing where the request has none.
func (p part) append(to []byte, r Request, countries *country.Table) []byte {
	kind := p.source
	if kind == inContext {
		kind = p.session
	}
	switch kind {
	case uri:
		return append(to, r.Target()...)
	case path:
		target := r.Target()
		if at := bytes.IndexByte(target, '?'); at >= 0 {
			target = target[:at]
		}
		return append(to, target...)
	case client:
		if a := r.Client(); a.IsValid() {
			return a.Unmap().WithZone("").AppendTo(to)
		}
		return to
	case byCountry:
		if code := countries.Of(r.Client()); code.Known() {
			return append(to, code[:]...)
		}
		return to
	case header:
		return appendField(to, r, p.name)
	case cookie:
		return append(to, findCookie(r, p.name)...)
	}
	return to // no other is made
}

// appendField adds all lines of a field, as one line of the same meaning (RFC 9110, 5.3).
func appendField(to []byte, r Request, name string) []byte {
	for n := 0; ; n++ {
		value, ok := r.Field(name, n)
		if !ok {
			return to
		}
		if n > 0 {
			to = append(to, ", "...)
		}
		to = append(to, value...)
	}
}

// findCookie returns the value of the first cookie with a name, as it was sent, or nothing.
func findCookie(r Request, name string) []byte {
	for n := 0; ; n++ {
		line, ok := r.Field("Cookie", n)
		if !ok {
			return nil
		}
		for len(line) > 0 {
			var pair []byte
			pair, line, _ = bytes.Cut(line, []byte{';'})
			found, value, _ := bytes.Cut(bytes.TrimLeft(pair, " \t"), []byte{'='})
			if string(found) == name {
				return value
			}
		}
	}
}
