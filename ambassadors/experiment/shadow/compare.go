package shadow

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// A verdict is what a comparison found.
type verdict int

const (
	matched    verdict = iota
	status             // the status differs
	content            // the status is the same, the body differs
	failed             // there was no answer, or not all of it
	uncompared         // the same status, and bodies that are too long or packed in a way that is not known here
	verdicts
)

var verdictNames = [verdicts]string{"matched", "status_differs", "body_differs", "failed", "not_compared"}

// Compare says how bodies are compared: byte for byte, or as JSON values.
type Compare struct {
	JSON   bool
	Ignore []string // fields, named by the path to them: a.b is the field b of the object a, or of each object in the array a
}

// verdict compares an answer with production's. why is for people.
func (c Compare) verdict(production, shadow *Answer) (v verdict, why string) {
	if production.Status != shadow.Status {
		return status, "status"
	}
	if production.TooLong || shadow.TooLong {
		return uncompared, "too long"
	}
	one, err := c.digest(production)
	if err != nil {
		return uncompared, "production's body cannot be read"
	}
	other, err := c.digest(shadow)
	switch {
	case err != nil:
		return content, "the shadow's body cannot be read"
	case one != other:
		return content, "body"
	}
	return matched, ""
}

var errEncoding = errors.New("a content encoding that is not known")

// maxUnpacked bounds what a packed body may become.
const maxUnpacked = 8 << 20

func (c Compare) digest(a *Answer) ([sha256.Size]byte, error) {
	body := a.Body
	switch strings.ToLower(a.Encoding) {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return [sha256.Size]byte{}, err
		}
		if body, err = io.ReadAll(io.LimitReader(z, maxUnpacked+1)); err != nil {
			return [sha256.Size]byte{}, err
		}
		if len(body) > maxUnpacked {
			return [sha256.Size]byte{}, errEncoding
		}
	default:
		return [sha256.Size]byte{}, errEncoding
	}
	if c.JSON && len(body) > 0 {
		var err error
		if body, err = normalise(body, c.Ignore); err != nil {
			return [sha256.Size]byte{}, err
		}
	}
	return sha256.Sum256(body), nil
}

// normalise writes a JSON value in one form: no space, fields in order, those to ignore left out.
func normalise(body []byte, ignore []string) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // a large number is not what float64 makes of it
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something after the value")
	}
	for _, path := range ignore {
		remove(value, strings.Split(path, "."))
	}
	return json.Marshal(value)
}

// remove deletes a field wherever its path leads, through the elements of arrays too.
func remove(value any, path []string) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			remove(element, path)
		}
	case map[string]any:
		if len(path) == 1 {
			delete(v, path[0])
			return
		}
		remove(v[path[0]], path[1:])
	}
}

// short is the beginning of a digest of the body as it came, for people who compare two of them.
func short(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:6])
}
