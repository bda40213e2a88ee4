package format

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Access reads the common and the combined log format of nginx and Apache:
//
//	192.0.2.1 - ann [05/Mar/2024:10:11:12 +0100] "GET /a?b=c HTTP/1.1" 200 512
//	192.0.2.1 - - [05/Mar/2024:10:11:12 +0100] "GET / HTTP/1.1" 404 - "https://example.com/" "curl/8"
//
// Fields after these, as many sites add, are kept as one attribute. The body is
// the request; a status of 500 and more is an error, of 400 and more a warning.
func Access(_ *Env, line []byte, r *record.Record) bool {
	c := cursor{line, 0}
	client := c.word()
	if len(client) == 0 || !c.take(' ') {
		return false
	}
	identity := c.word()
	if len(identity) == 0 || !c.take(' ') {
		return false
	}
	user, ok := c.until('[')
	if !ok || len(user) < 2 || user[len(user)-1] != ' ' {
		return false
	}
	user = user[:len(user)-1]
	var at int64
	if at, ok = c.accessTime(); !ok || !c.text(`] "`) {
		return false
	}
	request, ok := c.quoted()
	if !ok || !c.take(' ') {
		return false
	}
	status, ok := c.digits(3)
	if !ok || status < 100 || !c.take(' ') {
		return false
	}
	size, sized := c.digits(18)
	if !sized && !c.take('-') {
		return false
	}
	r.Time = at
	r.Text("client.address", absent(client))
	r.Text("user.name", absent(user))
	request = absent(request)
	r.Body = record.Text(request)
	requestLine(request, r)
	r.Add("http.response.status_code", record.Int(status))
	if sized {
		r.Add("http.response.body.size", record.Int(size))
	}
	r.Severity = accessSeverity(status)
	return combined(&c, r)
}

func accessSeverity(status int64) record.Severity {
	switch {
	case status >= 500:
		return record.Error
	case status >= 400:
		return record.Warn
	}
	return record.Info
}

// combined reads what the combined format has more than the common one.
func combined(c *cursor, r *record.Record) bool {
	if c.i == len(c.s) {
		return true
	}
	if !c.take(' ') {
		return false
	}
	if c.take('"') {
		referer, ok := c.quoted()
		if !ok {
			return false
		}
		if referer = absent(referer); len(referer) > 0 {
			r.Add("http.request.header.referer", record.List(referer))
		}
		if c.text(` "`) {
			agent, ok := c.quoted()
			if !ok {
				return false
			}
			r.Text("user_agent.original", absent(agent))
		}
		c.spaces()
	}
	r.Text("access.more", c.rest())
	return true
}

// accessTime reads 05/Mar/2024:10:11:12 +0100.
func (c *cursor) accessTime() (int64, bool) {
	var t civil
	if !c.fixed(2, &t.day) || !c.take('/') || !c.month(&t.month) || !c.take('/') || !c.fixed(4, &t.year) || !c.take(':') || !c.clockTime(&t) || !c.take(' ') || !t.valid() {
		return 0, false
	}
	offset, ok := c.zone()
	return t.at(offset), ok
}

// quoted passes a text up to its closing quote; the servers escape quotes in it.
func (c *cursor) quoted() ([]byte, bool) {
	from := c.i
	for ; c.i < len(c.s); c.i++ {
		switch c.s[c.i] {
		case '\\':
			c.i++
		case '"':
			c.i++
			return c.s[from : c.i-1], true
		}
	}
	c.i = len(c.s)
	return nil, false
}

// absent turns the servers' sign for nothing into nothing.
func absent(b []byte) []byte {
	if len(b) == 1 && b[0] == '-' {
		return nil
	}
	return b
}

// requestLine takes "GET /a?b=c HTTP/1.1" apart; what is no request line, as
// probes of strangers are, stays a body.
func requestLine(request []byte, r *record.Record) {
	c := cursor{request, 0}
	method := c.word()
	if len(method) == 0 || len(method) > 20 || !c.take(' ') {
		return
	}
	target := c.word()
	if len(target) == 0 || !c.text(" HTTP/") {
		return
	}
	version := c.rest()
	if bytes.IndexByte(version, ' ') >= 0 || len(version) > 3 {
		return
	}
	r.Text("http.request.method", method)
	path, query, _ := bytes.Cut(target, []byte{'?'})
	r.Text("url.path", path)
	r.Text("url.query", query)
	r.Text("network.protocol.version", version)
}
