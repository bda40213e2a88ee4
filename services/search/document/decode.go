package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Decode reads a document from a line of JSON, and checks it. The id may also be called _id, as in BEIR's collections. Keys are taken
// literally; others than those of a document are ignored. Its error may be shown to the one who wrote the line.
func Decode(line []byte) (Document, error) {
	var d Document
	switch {
	case len(line) > LongestLine:
		return d, fmt.Errorf("%d bytes, at most %d", len(line), LongestLine)
	case !utf8.Valid(line): // the decoder would replace what is not
		return d, errors.New("not UTF-8")
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(line, &keys); err != nil {
		return d, fmt.Errorf("not a JSON object: %s", syntax(err))
	}
	if keys == nil {
		return d, errors.New("not a JSON object: null")
	}
	for _, key := range []struct {
		name string
		into any
		want string
	}{
		{"_id", &d.ID, "a string"}, {"id", &d.ID, "a string"}, // id wins
		{"title", &d.Title, "a string"}, {"text", &d.Text, "a string"},
		{"labels", &d.Labels, "an object whose values are strings"},
	} {
		if raw, there := keys[key.name]; there {
			if err := json.Unmarshal(raw, key.into); err != nil {
				return Document{}, fmt.Errorf("%s: want %s", key.name, key.want)
			}
		}
	}
	if err := Check(d); err != nil {
		return Document{}, err
	}
	return d, nil
}

// syntax is what is wrong with the JSON, and where.
func syntax(err error) string {
	var wrong *json.SyntaxError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("byte %d: %s", wrong.Offset, wrong)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return "found " + kind.Value
	}
	return "it ends too early"
}
