package cache

import (
	"context"
	"net/netip"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/cache/limit"
	"github.com/flotilla-dev/flotilla/services/cache/rfc9111"
)

// Admission decides, before anything else is done, whether a request is served.
type Admission interface {
	// Admit may append header lines for the response, whatever its outcome. A non-nil problem is the answer;
	// who, if not empty, names in the access log whom it was counted for. Strings of the caller die with the
	// request.
	Admit(c *Caller, fields rfc9111.Header) (with rfc9111.Header, refused *problem.Problem, who string)
	// Done follows every Admit that did not refuse, when the response is out.
	Done(c *Caller)
}

// Caller is what limits go by.
type Caller struct {
	Client netip.Addr // behind trusted proxies
	Path   string
	Header rfc9111.Header
	// Login is set by Admit when Authorization carried a token that was meant for us: the origin never sees
	// it, and its answer is as public as for anybody else.
	Login bool

	fields []byte // buffer of the values of limit fields
}

// limits is the Admission of the process: a rate for each client, then a place among those in flight.
type limits struct {
	limiter    *limit.Limiter
	identifier *limit.Identifier
	shedder    *limit.Shedder
}

// Admit counts the request and waits, for a moment, for a place.
func (l *limits) Admit(c *Caller, fields rfc9111.Header) (rfc9111.Header, *problem.Problem, string) {
	who := l.identify(c)
	d := l.limiter.Decide(who, c.Path)
	if d.Limited() {
		fields = c.limitFields(d, fields)
	}
	if !d.Allowed {
		return fields, d.Problem(), who.String()
	}
	// The client is not watched while it waits: the queue bounds that by itself.
	if l.shedder.Acquire(context.Background()) != nil {
		return fields, limit.Overloaded(), ""
	}
	return fields, nil, ""
}

// Done gives the place back.
func (l *limits) Done(*Caller) { l.shedder.Release() }

func (l *limits) identify(c *Caller) limit.Identity {
	if l.identifier.Tokens == nil {
		return limit.OfAddress(c.Client)
	}
	if who, ok := l.identifier.Login(c.Header.Get("Authorization"), ""); ok {
		c.Login = true
		return who
	}
	return l.identifier.Identify(c.Client, "", c.Header.Joined("Cookie"))
}

// limitFields appends the fields of a decision. Their values share one string, which is all that is
// allocated. Retry-After is left to the problem.
func (c *Caller) limitFields(d limit.Decision, fields rfc9111.Header) rfc9111.Header {
	first := len(fields)
	values := c.fields[:0]
	var scratch [96]byte
	d.Fields(scratch[:0], func(name string, value []byte) {
		if name == "Retry-After" {
			return
		}
		values = append(append(values, value...), '\n')
		fields = append(fields, rfc9111.Field{Name: name})
	})
	c.fields = values
	rest := string(values)
	for i := first; i < len(fields); i++ {
		fields[i].Value, rest, _ = strings.Cut(rest, "\n")
	}
	return fields
}
