package doclog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/IBM/sarama"

	"github.com/flotilla-dev/flotilla/services/search/document"
)

// Kind is what a record is.
type Kind string

// The kinds of records. A deletion has the kind of a document, and no document.
const (
	Document Kind = "document"
	Mark     Kind = "mark" // has a name, and tells that something was written before it
)

// A Record is an entry of the log.
type Record struct {
	Kind     Kind
	ID       string             // of the document, or the name of the mark
	Document *document.Document // nil: there is none any more
	Offset   int64              // where it was read
	Value    []byte             // of a Control
	Source   *Source            // where it was copied from; nil: it was not
}

// Bounds of what is written and read.
const (
	MaxID     = 128       // bytes of an id and of a mark's name
	MaxRecord = 512 << 10 // bytes of a record, with what Kafka adds: 64 KiB of text take six times as much as JSON in the worst case
)

// markPrefix begins the keys of marks, so that a compacted topic keeps them apart from documents. An id may not begin with it.
const markPrefix = "mark:"

// kindHeader carries the kind.
const kindHeader = "kind"

// Put is a record that adds a document, or replaces the one with its id.
func Put(d document.Document) Record { return Record{Kind: Document, ID: d.ID, Document: &d} }

// Delete is a record that takes a document away.
func Delete(id string) Record { return Record{Kind: Document, ID: id} }

// Note is a record that is a mark.
func Note(name string) Record { return Record{Kind: Mark, ID: name} }

// encode makes the record for Kafka.
func encode(r Record) (*sarama.Record, error) {
	if err := checkID(r.ID); err != nil {
		return nil, err
	}
	encoded := &sarama.Record{Key: []byte(r.ID), Headers: []*sarama.RecordHeader{{Key: []byte(kindHeader), Value: []byte(r.Kind)}}}
	if r.Source != nil {
		encoded.Headers = append(encoded.Headers, r.Source.header())
	}
	switch {
	case r.Kind == Seal || r.Kind == Fence || r.Kind == Control:
		encoded.Key, encoded.Value = controlKey(r), controlValue(r)
	case r.Kind == Mark:
		encoded.Key, encoded.Value = []byte(markPrefix+r.ID), []byte("{}") // without a value it would be a deletion
	case strings.HasPrefix(r.ID, markPrefix):
		return nil, &Invalid{fmt.Sprintf("an id does not begin with %q", markPrefix)}
	case r.Document != nil:
		var value bytes.Buffer
		e := json.NewEncoder(&value)
		e.SetEscapeHTML(false) // nobody shows it as it is
		if err := e.Encode(r.Document); err != nil {
			return nil, &Invalid{"the document cannot be written as JSON"}
		}
		encoded.Value = bytes.TrimSuffix(value.Bytes(), []byte("\n"))
	}
	if n := size(encoded); n > MaxRecord {
		return nil, &Invalid{fmt.Sprintf("the document takes %d bytes as JSON, %d are possible", n, MaxRecord)}
	}
	return encoded, nil
}

// checkID refuses what can be no key, whoever comes with it.
func checkID(id string) error {
	if id == "" || len(id) > MaxID {
		return &Invalid{fmt.Sprintf("want an id of 1 to %d bytes", MaxID)}
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return &Invalid{"want an id of printable ASCII without spaces"}
		}
	}
	return nil
}

// overhead bounds what a record takes beside its parts: lengths, offsets and times.
const overhead = 64

func size(r *sarama.Record) int {
	n := overhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 10
	}
	return n
}

// errOtherKind says that a record is of a kind that this version does not know.
var errOtherKind = errors.New("the kind is not known here")

// decode reads what encode wrote. Unknown kinds are those of newer writers.
func decode(offset int64, r *sarama.Record) (Record, error) {
	key, kind := string(r.Key), Document
	var source *Source
	for _, h := range r.Headers {
		switch string(h.Key) {
		case kindHeader:
			kind = Kind(h.Value)
		case sourceHeader:
			var err error
			if source, err = parseSource(string(h.Value)); err != nil {
				return Record{}, err
			}
		}
	}
	switch {
	case kind == Seal || kind == Fence || kind == Control:
		return decodeControl(kind, key, offset, r.Value)
	case kind == Mark:
		name, is := strings.CutPrefix(key, markPrefix)
		if !is {
			return Record{}, fmt.Errorf("the key of a mark does not begin with %q", markPrefix)
		}
		return Record{Kind: Mark, ID: name, Offset: offset}, checkID(name)
	case kind != Document:
		return Record{}, errOtherKind
	}
	if err := checkID(key); err != nil {
		return Record{}, err
	}
	if r.Value == nil {
		return Record{Kind: Document, ID: key, Offset: offset, Source: source}, nil
	}
	d, err := decodeDocument(r.Value)
	if err == nil && d.ID != key {
		err = errors.New("the id of the document is not its key")
	}
	return Record{Kind: Document, ID: key, Document: d, Offset: offset, Source: source}, err
}

func decodeDocument(value []byte) (*document.Document, error) {
	if len(value) > MaxRecord || !utf8.Valid(value) {
		return nil, errors.New("the document is too large, or not UTF-8")
	}
	d := &document.Document{}
	if err := json.Unmarshal(value, d); err != nil {
		return nil, fmt.Errorf("the document is no JSON: %w", err)
	}
	return d, nil
}
