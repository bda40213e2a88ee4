package record

import (
	"bytes"
	"strconv"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/rawjson"
)

// OTLP writes records as the JSON encoding of OTLP 1.x, an
// ExportLogsServiceRequest: consecutive records of one resource and one logger
// share their group. It belongs to one goroutine.
type OTLP struct {
	Fixed []byte // attributes of the source: elements of a list of KeyValue, with commas between
	Own   []byte // resource of the source, in the same form

	resource, scope []byte // of the open groups
	scratch         []byte
}

// Append appends a record to a request; the first one begins it. End completes it.
func (o *OTLP) Append(out []byte, r *Record) []byte {
	o.scratch = keyValues(o.scratch[:0], o.Own, r.Resource)
	switch {
	case len(out) == 0:
		out = append(out, `{"resourceLogs":[`...)
		out = o.openResource(out, r)
	case !bytes.Equal(o.scratch, o.resource):
		out = append(out, "]}]},"...)
		out = o.openResource(out, r)
	case !bytes.Equal(r.Scope, o.scope):
		out = append(out, "]},"...)
		out = o.openScope(out, r)
	default:
		out = append(out, ',')
	}
	return o.record(out, r)
}

// End completes a request.
func (o *OTLP) End(out []byte) []byte {
	if len(out) == 0 {
		return out
	}
	return append(out, "]}]}]}"...)
}

func (o *OTLP) openResource(out []byte, r *Record) []byte {
	o.resource = append(o.resource[:0], o.scratch...)
	out = append(append(out, `{"resource":{"attributes":[`...), o.resource...)
	return o.openScope(append(out, `]},"scopeLogs":[`...), r)
}

func (o *OTLP) openScope(out []byte, r *Record) []byte {
	o.scope = append(o.scope[:0], r.Scope...)
	out = append(out, '{')
	if len(o.scope) > 0 {
		out = append(AppendString(append(out, `"scope":{"name":`...), o.scope), "},"...)
	}
	return append(out, `"logRecords":[`...)
}

func (o *OTLP) record(out []byte, r *Record) []byte {
	out = append(out, '{')
	if r.Time != 0 {
		out = append(out, `"timeUnixNano":"`...)
		out = append(strconv.AppendInt(out, r.Time, 10), `",`...)
	}
	out = append(out, `"observedTimeUnixNano":"`...)
	out = append(strconv.AppendInt(out, r.Observed, 10), '"')
	if r.Severity != 0 {
		out = strconv.AppendInt(append(out, `,"severityNumber":`...), int64(r.Severity), 10)
	}
	if len(r.Level) > 0 {
		out = AppendString(append(out, `,"severityText":`...), r.Level)
	}
	if !r.Body.Empty() {
		out = r.Body.any(append(out, `,"body":`...))
	}
	if len(r.TraceID) > 0 {
		out = append(append(append(out, `,"traceId":"`...), r.TraceID...), '"')
	}
	if len(r.SpanID) > 0 {
		out = append(append(append(out, `,"spanId":"`...), r.SpanID...), '"')
	}
	if r.Sampled {
		out = append(out, `,"flags":1`...)
	}
	out = append(out, `,"attributes":[{"key":"log.record.uid","value":{"stringValue":"`...)
	out = append(append(out, r.UID...), `"}}`...)
	if len(o.Fixed) > 0 {
		out = append(append(out, ','), o.Fixed...)
	}
	for i := range r.Attrs {
		out = r.Attrs[i].keyValue(append(out, ','))
	}
	return append(out, ']', '}')
}

func keyValues(out, fixed []byte, more []Attr) []byte {
	out = append(out, fixed...)
	for i := range more {
		if len(out) > 0 {
			out = append(out, ',')
		}
		out = more[i].keyValue(out)
	}
	return out
}

// AppendKeyValue appends a KeyValue, for OTLP.Fixed and OTLP.Own.
func AppendKeyValue(out []byte, name, value string) []byte {
	if len(out) > 0 {
		out = append(out, ',')
	}
	a := Attr{Name: name, Value: Text([]byte(value))}
	return a.keyValue(out)
}

func (a *Attr) keyValue(out []byte) []byte {
	key := a.Key
	if key == nil {
		key = []byte(a.Name)
	}
	out = AppendString(append(out, `{"key":`...), key)
	return append(a.Value.any(append(out, `,"value":`...)), '}')
}

// any writes an AnyValue. Integers are strings in the JSON of protocol buffers.
func (v Value) any(out []byte) []byte {
	switch v.kind {
	case text:
		return append(AppendString(append(out, `{"stringValue":`...), v.text), '}')
	case number:
		return append(strconv.AppendInt(append(out, `{"intValue":"`...), v.n, 10), `"}`...)
	case list:
		out = AppendString(append(out, `{"arrayValue":{"values":[{"stringValue":`...), v.text)
		return append(out, `}]}}`...)
	case literal:
		return anyJSON(out, v.text)
	}
	return append(out, '{', '}')
}

func anyJSON(out, value []byte) []byte {
	switch value[0] {
	case '"':
		if !bytes.Contains(value, []byte(`\u`)) { // half a surrogate pair is JSON, but no text
			return append(append(append(out, `{"stringValue":`...), value...), '}')
		}
		return append(AppendString(append(out, `{"stringValue":`...), rawjson.Unquote(value)), '}')
	case 't', 'f':
		return append(append(append(out, `{"boolValue":`...), value...), '}')
	case 'n':
		return append(out, '{', '}')
	case '{':
		return anyObject(out, value)
	case '[':
		return anyArray(out, value)
	}
	if _, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return append(append(append(out, `{"intValue":"`...), value...), `"}`...)
	}
	if f, err := strconv.ParseFloat(string(value), 64); err == nil {
		return append(strconv.AppendFloat(append(out, `{"doubleValue":`...), f, 'g', -1, 64), '}')
	}
	return append(AppendString(append(out, `{"stringValue":`...), value), '}') // past the range of a double
}

func anyObject(out, value []byte) []byte {
	members, _ := rawjson.Members(value, nil) // it was valid as a part of the line
	out = append(out, `{"kvlistValue":{"values":[`...)
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out = AppendString(append(out, `{"key":`...), rawjson.Unquote(m.Name))
		out = append(anyJSON(append(out, `,"value":`...), m.Value), '}')
	}
	return append(out, `]}}`...)
}

func anyArray(out, value []byte) []byte {
	elements, _ := rawjson.Elements(value, nil)
	out = append(out, `{"arrayValue":{"values":[`...)
	for i, e := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = anyJSON(out, e)
	}
	return append(out, `]}}`...)
}
