// Package yamlfile reads configuration files strictly, and names all that is wrong in them.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// Decode fills in a struct from a file of one YAML document. Keys that the struct does
// not have, values of another type and a second document are mistakes, and all of them are
// returned: the caller adds those that it finds itself. An empty file is an empty struct.
// The error is that of a text that is no YAML, of which nothing more can be said.
func Decode(content []byte, into any) (mistakes []error, err error) {
	in := yaml.NewDecoder(bytes.NewReader(content))
	in.KnownFields(true)
	if err := in.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		var types *yaml.TypeError
		if !errors.As(err, &types) {
			return nil, err
		}
		for _, e := range types.Errors {
			mistakes = append(mistakes, errors.New(e))
		}
	}
	if err := in.Decode(new(any)); !errors.Is(err, io.EOF) {
		mistakes = append(mistakes, errors.New("there is more than one YAML document"))
	}
	return mistakes, nil
}

// Mistake is the error of an UnmarshalYAML that lets the decoder go on.
func Mistake(n *yaml.Node, want string) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is not %s", n.Line, n.Value, want)}}
}
