package record

import "bytes"

// Record is one log record. All slices belong to whoever parsed it.
type Record struct {
	Time     int64 // nanoseconds since 1970; 0 when the source tells none
	Observed int64 // when it was read
	Severity Severity
	Level    []byte // as the source wrote it
	Body     Value
	TraceID  []byte // 32 hexadecimal digits, or empty
	SpanID   []byte // 16 hexadecimal digits, or empty
	Sampled  bool   // the trace flag of that name
	Scope    []byte // the logger
	Attrs    []Attr
	Resource []Attr // beside the fixed ones of the source

	UID []byte // the same for the same record of the same file, whenever it is read
}

// Attr is an attribute. Its key is Name, or Key where it came with the line.
type Attr struct {
	Name  string
	Key   []byte
	Value Value
}

// MaxAttrs bounds the attributes of a record; a line with more is not parsed.
const MaxAttrs = 128

// Reset empties a record for its next use.
func (r *Record) Reset() {
	*r = Record{Attrs: r.Attrs[:0], Resource: r.Resource[:0]}
}

// Add appends an attribute whose key is fixed.
func (r *Record) Add(name string, v Value) { r.Attrs = append(r.Attrs, Attr{Name: name, Value: v}) }

// Text appends an attribute with a text, unless the text is empty.
func (r *Record) Text(name string, text []byte) {
	if len(text) > 0 {
		r.Add(name, Text(text))
	}
}

// AddResource appends to what the record tells of its origin.
func (r *Record) AddResource(name string, text []byte) {
	if len(text) > 0 {
		r.Resource = append(r.Resource, Attr{Name: name, Value: Text(text)})
	}
}

// Set adds an attribute whose key came with the line. The last value of a key
// wins, because keys of a record are unique; a key that this program sets itself
// gets a prefix. It is false when there are too many.
func (r *Record) Set(key []byte, v Value) bool {
	if reserved(key) {
		key = append([]byte("line."), key...)
	}
	for i := range r.Attrs {
		if r.Attrs[i].is(key) {
			r.Attrs[i].Value = v
			return true
		}
	}
	if len(r.Attrs) == MaxAttrs {
		return false
	}
	r.Attrs = append(r.Attrs, Attr{Key: key, Value: v})
	return true
}

// reserved are the attributes that say where a record is from.
func reserved(key []byte) bool {
	return bytes.HasPrefix(key, []byte("log.record.")) || bytes.HasPrefix(key, []byte("log.file.")) || string(key) == "unparsed"
}

func (a *Attr) is(key []byte) bool {
	if a.Key != nil {
		return bytes.Equal(a.Key, key)
	}
	return a.Name == string(key)
}

// Value is the value of a body or an attribute.
type Value struct {
	kind kind
	text []byte
	n    int64
}

type kind uint8

const (
	none    kind = iota
	text         // UTF-8
	number       // an integer
	literal      // JSON, already valid
	list         // a list of one text
)

// Text is a string. What is no UTF-8 in it is replaced when it is encoded.
func Text(b []byte) Value { return Value{kind: text, text: b} }

// Int is an integer.
func Int(n int64) Value { return Value{kind: number, n: n} }

// JSON is a value that is valid JSON as it stands.
func JSON(b []byte) Value { return Value{kind: literal, text: b} }

// List is a list with one text, as the headers of HTTP are by convention.
func List(b []byte) Value { return Value{kind: list, text: b} }

// Empty tells that there is no value.
func (v Value) Empty() bool { return v.kind == none }

// IsJSON tells a value of JSON from a text.
func (v Value) IsJSON() bool { return v.kind == literal }

// Bytes is the text of a value: what is in a Text, or the JSON of a JSON.
func (v Value) Bytes() []byte { return v.text }
