package record

import "strconv"

// A Line writes records as lines of JSON with the field names of the data model:
//
//	{"Timestamp":"2024-03-05T10:11:12.5Z","ObservedTimestamp":"…","SeverityText":"INFO","SeverityNumber":9,
//	 "Body":"ready","Resource":{"service.name":"legacy"},"Attributes":{"log.file.name":"app.log",…}}
//
// Fields without a value are left out. The data model leaves the form of times
// in JSON open: they are RFC 3339, in UTC, to the nanosecond. It belongs to one
// goroutine.
type Line struct {
	Fixed []byte // attributes of the source as members of JSON, with commas between
	Own   []byte // resource of the source, in the same form

	seen, observed clock
}

// Append appends the record and a line end.
func (l *Line) Append(out []byte, r *Record) []byte {
	out = append(out, '{')
	if r.Time != 0 {
		out = append(out, `"Timestamp":"`...)
		out = append(l.seen.append(out, r.Time), `",`...)
	}
	out = append(out, `"ObservedTimestamp":"`...)
	out = append(l.observed.append(out, r.Observed), '"')
	if len(r.TraceID) > 0 {
		out = append(append(append(out, `,"TraceId":"`...), r.TraceID...), '"')
	}
	if len(r.SpanID) > 0 {
		out = append(append(append(out, `,"SpanId":"`...), r.SpanID...), '"')
	}
	if r.Sampled {
		out = append(out, `,"TraceFlags":1`...)
	}
	if len(r.Level) > 0 {
		out = AppendString(append(out, `,"SeverityText":`...), r.Level)
	}
	if r.Severity != 0 {
		out = strconv.AppendInt(append(out, `,"SeverityNumber":`...), int64(r.Severity), 10)
	}
	if !r.Body.Empty() {
		out = r.Body.append(append(out, `,"Body":`...))
	}
	if len(l.Own) > 0 || len(r.Resource) > 0 {
		out = append(members(append(out, `,"Resource":{`...), l.Own, r.Resource), '}')
	}
	if len(r.Scope) > 0 {
		out = append(AppendString(append(out, `,"InstrumentationScope":{"Name":`...), r.Scope), '}')
	}
	out = append(out, `,"Attributes":{"log.record.uid":"`...)
	out = append(append(out, r.UID...), '"')
	if len(l.Fixed) > 0 {
		out = append(append(out, ','), l.Fixed...)
	}
	for i := range r.Attrs {
		out = r.Attrs[i].append(append(out, ','))
	}
	return append(out, '}', '}', '\n')
}

func members(out, fixed []byte, more []Attr) []byte {
	out = append(out, fixed...)
	for i := range more {
		if i > 0 || len(fixed) > 0 {
			out = append(out, ',')
		}
		out = more[i].append(out)
	}
	return out
}

// AppendMember appends a member of an object, for Line.Fixed and Line.Own.
func AppendMember(out []byte, name, value string) []byte {
	if len(out) > 0 {
		out = append(out, ',')
	}
	a := Attr{Name: name, Value: Text([]byte(value))}
	return a.append(out)
}

func (a *Attr) append(out []byte) []byte {
	if a.Key != nil {
		out = AppendString(out, a.Key)
	} else {
		out = append(append(append(out, '"'), a.Name...), '"') // fixed names need no escaping
	}
	return a.Value.append(append(out, ':'))
}

func (v Value) append(out []byte) []byte {
	switch v.kind {
	case text:
		return AppendString(out, v.text)
	case number:
		return strconv.AppendInt(out, v.n, 10)
	case literal:
		return append(out, v.text...)
	case list:
		return append(AppendString(append(out, '['), v.text), ']')
	}
	return append(out, "null"...)
}
