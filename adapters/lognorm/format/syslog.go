package format

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Syslog reads messages of RFC 5424 and of RFC 3164, the latter with or without
// the priority, which files do not have; and the form with a time by RFC 3339
// that rsyslog and systemd write into files:
//
//	<165>1 2024-03-05T10:11:12.5Z host app 42 ID47 [id@32473 key="value"] a message
//	<34>Mar  5 10:11:12 host app[42]: a message
//	Mar  5 10:11:12 host app[42]: a message
//	2024-03-05T10:11:12.123456+01:00 host app[42]: a message
func Syslog(e *Env, line []byte, r *record.Record) bool {
	if len(line) < 16 {
		return false
	}
	c := cursor{line, 0}
	if c.take('<') {
		priority, ok := c.digits(3)
		if !ok || priority > 191 || !c.take('>') {
			return false
		}
		level, name := record.Syslog(int(priority & 7))
		r.Severity, r.Level = level, []byte(name)
		r.Add("syslog.facility.code", record.Int(priority>>3))
		if c.text("1 ") {
			return syslog5424(e, &c, r)
		}
	}
	if isDigit(c.peek()) {
		if len(c.rest()) < 26 || c.s[c.i+10] != 'T' {
			return false
		}
		at, ok := c.dateTime(e)
		if !ok {
			return false
		}
		r.Time = at
	} else {
		at, ok := c.stamp(e)
		if !ok {
			return false
		}
		r.Time = at
	}
	return c.take(' ') && syslogRest(&c, r)
}

// syslogRest reads "host tag[pid]: message" after the time of RFC 3164.
func syslogRest(c *cursor, r *record.Record) bool {
	host := c.word()
	if len(host) == 0 || !c.take(' ') || bytes.IndexByte(host, '[') >= 0 {
		return false
	}
	tag, ok := c.until(':')
	if !ok || len(tag) == 0 || len(tag) > 96 || bytes.IndexByte(tag, ' ') >= 0 {
		return false
	}
	c.take(' ')
	if at := bytes.IndexByte(tag, '['); at > 0 && tag[len(tag)-1] == ']' {
		r.Text("syslog.procid", tag[at+1:len(tag)-1])
		tag = tag[:at]
	}
	r.AddResource("host.name", host)
	r.AddResource("service.name", tag)
	r.Body = record.Text(c.rest())
	return true
}

// syslog5424 reads what follows the version of RFC 5424.
func syslog5424(e *Env, c *cursor, r *record.Record) bool {
	if !c.take('-') {
		at, ok := c.dateTime(e)
		if !ok {
			return false
		}
		r.Time = at
	}
	var fields [4][]byte // host, application, process, message id
	for i := range fields {
		if !c.take(' ') {
			return false
		}
		if fields[i] = absent(c.word()); fields[i] != nil && len(fields[i]) == 0 {
			return false
		}
	}
	if !c.take(' ') {
		return false
	}
	r.AddResource("host.name", fields[0])
	r.AddResource("service.name", fields[1])
	r.Text("syslog.procid", fields[2])
	r.Text("syslog.msgid", fields[3])
	if !c.take('-') && !structuredData(c, r) {
		return false
	}
	c.take(' ')
	c.text("\ufeff")
	r.Body = record.Text(c.rest())
	return true
}

// structuredData reads [id key="value" …][…]; each pair is an attribute
// syslog.structured_data.<id>.<key>.
func structuredData(c *cursor, r *record.Record) bool {
	if c.peek() != '[' {
		return false
	}
	for c.take('[') {
		from := c.i
		for c.i < len(c.s) && c.s[c.i] != ' ' && c.s[c.i] != ']' && c.s[c.i] != '"' && c.s[c.i] != '=' {
			c.i++
		}
		id := c.s[from:c.i]
		if len(id) == 0 {
			return false
		}
		for c.take(' ') {
			if !parameter(c, r, id) {
				return false
			}
		}
		if !c.take(']') {
			return false
		}
	}
	return c.i == len(c.s) || c.peek() == ' '
}

func parameter(c *cursor, r *record.Record, id []byte) bool {
	name, ok := c.until('=')
	if !ok || len(name) == 0 || len(name) > 64 || bytes.ContainsAny(name, ` "]`) || !c.take('"') {
		return false
	}
	from, escaped := c.i, false
	for c.i < len(c.s) && c.s[c.i] != '"' {
		if c.s[c.i] == '\\' && c.i+1 < len(c.s) {
			escaped = true
			c.i++
		}
		c.i++
	}
	value := c.s[from:min(c.i, len(c.s))]
	if !c.take('"') {
		return false
	}
	if escaped { // RFC 5424, section 6.3.3: \" \\ \]
		value = unescaped(value)
	}
	return r.Set(bytes.Join([][]byte{[]byte("syslog.structured_data"), id, name}, []byte{'.'}), record.Text(value))
}

func unescaped(value []byte) []byte {
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) && (value[i+1] == '"' || value[i+1] == '\\' || value[i+1] == ']') {
			i++
		}
		out = append(out, value[i])
	}
	return out
}
