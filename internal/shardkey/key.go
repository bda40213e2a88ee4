package shardkey

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/country"
)

// A Request is what keys are made of. Whoever serves requests has it from his own kind of them; nothing is
// kept after the call.
type Request interface {
	// Target is the request target as it was sent, in origin form: an absolute one without its scheme and host.
	Target() []byte
	// Field is the nth line of a header field, from 0 on, and false where there is none. name is in the
	// canonical form of net/http; HTTP does not care about case.
	Field(name string, n int) (value []byte, ok bool)
	// Client is the address that the request comes from by the word of trusted proxies, see internal/forwarded.
	Client() netip.Addr
}

// MaxParts bounds the parts of a key.
const MaxParts = 8

// A Key says which parts of a request are its key. The zero value is uri.
type Key struct {
	parts     []part
	countries *country.Table
}

// Parse reads a key such as header:X-Region+path. Every wrong part is named.
func Parse(text string) (Key, error) {
	var key Key
	var wrong []error
	for i, item := range strings.Split(text, "+") {
		if i == MaxParts {
			return Key{}, fmt.Errorf("key %q: more than %d parts", short(text), MaxParts)
		}
		p, err := parsePart(item)
		switch {
		case err != nil:
		case slices.Contains(key.parts, p):
			err = errors.New("it is there twice")
		case p.source == inContext && key.UsesContext():
			err = errors.New("a key has one context")
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("key %q: part %d, %q: %w", short(text), i+1, short(item), err))
			continue
		}
		key.parts = append(key.parts, p)
	}
	if wrong != nil {
		return Key{}, errors.Join(wrong...)
	}
	return key, nil
}

// UnmarshalText reads what Parse reads, and leaves the table of countries as it is.
func (k *Key) UnmarshalText(text []byte) error {
	key, err := Parse(string(text))
	if err == nil {
		k.parts = key.parts
	}
	return err
}

// MarshalText writes what UnmarshalText reads.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// String is the key as Parse reads it.
func (k Key) String() string {
	if len(k.parts) == 0 {
		return string(uri)
	}
	all := make([]string, len(k.parts))
	for i, p := range k.parts {
		all[i] = p.String()
	}
	return strings.Join(all, "+")
}

// In is the same key with a table that tells its countries. Without one no country is known.
func (k Key) In(countries *country.Table) Key {
	k.countries = countries
	return k
}

// UsesCountry tells whether the key has a country, and so is of no use without a table.
func (k Key) UsesCountry() bool { return k.has(byCountry) }

// UsesContext tells whether the key has the context of a session, see AppendIn.
func (k Key) UsesContext() bool { return k.has(inContext) }

// SessionPart is what names the session whose context is a part of the key, such as cookie:player; "" without one.
func (k Key) SessionPart() string {
	for _, p := range k.parts {
		if p.source == inContext {
			return part{source: p.session, name: p.name}.String()
		}
	}
	return ""
}

// UsesClient tells whether the key depends on the address of the client.
func (k Key) UsesClient() bool { return k.has(byCountry) || k.has(client) }

func (k Key) has(source source) bool {
	return slices.ContainsFunc(k.parts, func(p part) bool { return p.source == source })
}

// AppendSession adds what names the session of a request whose context is a part of the key: nothing where the
// request names none, or the key has no context.
func (k Key) AppendSession(to []byte, r Request) []byte {
	for _, p := range k.parts {
		if p.source == inContext {
			return p.append(to, r, nil)
		}
	}
	return to
}

// Append adds the key of a request to a buffer and returns it. It allocates only where the buffer is too small.
// A session stands for its own context.
func (k Key) Append(to []byte, r Request) []byte { return k.AppendIn(to, r, nil) }

// AppendIn is Append for a request whose session was found to have a context; nil: it has none.
func (k Key) AppendIn(to []byte, r Request, context []byte) []byte {
	begin, found := len(to), false
	for i, p := range k.parts {
		if i > 0 {
			to = append(to, ' ')
		}
		before := len(to)
		if p.source == inContext && context != nil {
			to = append(to, context...)
		} else {
			to = p.append(to, r, k.countries)
		}
		found = found || len(to) > before
	}
	if !found {
		return append(to[:begin], r.Target()...)
	}
	return to
}

// short cuts what is said about a text of any length.
func short(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
