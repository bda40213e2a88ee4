package format

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/rawjson"
	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// JSON reads an object on a line. Keys that log libraries use by convention
// become fields of the record (see field); all others are attributes, nested
// values as they stand.
func JSON(e *Env, line []byte, r *record.Record) bool {
	if len(line) < 2 || line[0] != '{' {
		return false
	}
	var ok bool
	if e.members, ok = rawjson.Members(line, e.members[:0]); !ok {
		return false
	}
	for _, m := range e.members {
		name, value := key(m.Name), record.JSON(m.Value)
		if known := e.Alias[string(name)]; known != "" {
			name = []byte(known)
		}
		if !e.field(r, name, value) && !r.Set(name, value) {
			return false
		}
	}
	e.settle(r)
	return true
}

func key(quoted []byte) []byte {
	if k := rawjson.Unquote(quoted); len(k) > 0 {
		return k
	}
	return []byte("_") // a key must have a name
}

// conventional moves the conventional keys among the attributes to their fields.
func conventional(e *Env, r *record.Record) {
	all := r.Attrs
	r.Attrs = r.Attrs[:0]
	for _, a := range all {
		if !e.field(r, a.Key, a.Value) {
			r.Attrs = append(r.Attrs, a)
		}
	}
	e.settle(r)
}

// settle does what needs all keys: the weaker names of a message, and what
// Docker wraps around a line.
func (e *Env) settle(r *record.Record) {
	if !r.Body.Empty() {
		return
	}
	stream, inner := -1, -1
	for i := range r.Attrs {
		switch string(r.Attrs[i].Key) {
		case "event", "text":
			if _, ok := text(r.Attrs[i].Value); ok {
				r.Body = r.Attrs[i].Value
				r.Attrs = append(r.Attrs[:i], r.Attrs[i+1:]...)
				return
			}
		case "stream":
			stream = i
		case "log":
			inner = i
		}
	}
	if inner < 0 {
		return
	}
	message, ok := text(r.Attrs[inner].Value)
	if !ok {
		return
	}
	if stream < 0 {
		r.Body = r.Attrs[inner].Value
		r.Attrs = append(r.Attrs[:inner], r.Attrs[inner+1:]...)
		return
	}
	e.unwrap(r, bytes.TrimRight(message, "\r\n"), r.Attrs[stream].Value)
}

// unwrap reads the line that a container wrote, as Docker keeps it:
//
//	{"log":"I0305 … ready\n","stream":"stderr","time":"…"}
func (e *Env) unwrap(r *record.Record, line []byte, stream record.Value) {
	outer := r.Time
	r.Attrs = r.Attrs[:0]
	inner := false
	for _, f := range Detected() {
		if f.Name == "json" && bytes.Contains(line, []byte(`"stream"`)) {
			continue // not once more
		}
		if inner = f.Read(e, line, r); inner {
			break
		}
		*r = record.Record{Attrs: r.Attrs[:0], Resource: r.Resource[:0], Observed: r.Observed, UID: r.UID}
	}
	if !inner {
		r.Body = record.Text(line)
	}
	if r.Time == 0 {
		r.Time = outer
	}
	r.Add("log.iostream", stream)
}

// text is the text of a value that is one.
func text(v record.Value) ([]byte, bool) {
	b := v.Bytes()
	if v.IsJSON() {
		if len(b) == 0 || b[0] != '"' {
			return nil, false
		}
		return rawjson.Unquote(b), true
	}
	return b, b != nil
}
