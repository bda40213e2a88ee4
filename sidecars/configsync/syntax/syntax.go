// Package syntax tells whether a configuration can be read at all: whether it is
// JSON, YAML, TOML or INI, and if not, on which line. What the configuration
// means, only its application knows.
package syntax

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"
)

// Kind is a syntax.
type Kind string

// The kinds that Check knows. Auto chooses by the name of the file; None accepts
// everything.
const (
	Auto Kind = "auto"
	JSON Kind = "json"
	YAML Kind = "yaml"
	TOML Kind = "toml"
	INI  Kind = "ini"
	None Kind = "none"
)

// UnmarshalText accepts the names of the kinds.
func (k *Kind) UnmarshalText(text []byte) error {
	switch kind := Kind(text); kind {
	case Auto, JSON, YAML, TOML, INI, None:
		*k = kind
		return nil
	}
	return errors.New("want auto, json, yaml, toml, ini or none")
}

var byExtension = map[string]Kind{".json": JSON, ".yaml": YAML, ".yml": YAML, ".toml": TOML, ".ini": INI}

// Check returns nil when content has the syntax, else what is wrong with it.
func (k Kind) Check(name string, content []byte) error {
	if k == Auto {
		k = byExtension[path.Ext(name)] // others are not looked at
	}
	switch k {
	case JSON:
		return checkJSON(content)
	case YAML:
		return checkYAML(content)
	case TOML:
		return checkTOML(content)
	case INI:
		return checkINI(content)
	}
	return nil
}

func checkJSON(content []byte) error {
	var any json.RawMessage
	err := json.Unmarshal(content, &any)
	var wrong *json.SyntaxError
	if errors.As(err, &wrong) {
		return fmt.Errorf("json: line %d: %w", lineAt(content, wrong.Offset), err)
	}
	if err != nil {
		return fmt.Errorf("json: %w", err)
	}
	return nil
}

func lineAt(content []byte, offset int64) int {
	return 1 + bytes.Count(content[:min(int(offset), len(content))], []byte("\n"))
}

// checkYAML reads all documents into nodes, which expands no alias: a few lines
// cannot grow to gigabytes.
func checkYAML(content []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err // it begins with "yaml:"
		}
	}
}

func checkTOML(content []byte) error {
	var all map[string]any
	err := toml.Unmarshal(content, &all)
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, _ := wrong.Position()
		return fmt.Errorf("toml: line %d: %w", line, err)
	}
	if err != nil {
		return fmt.Errorf("toml: %w", err)
	}
	return nil
}

// checkINI wants sections, keys with values and comments. There is no standard;
// this is what the readers of INI agree on.
func checkINI(content []byte) error {
	number := 0
	for line := range bytes.Lines(content) {
		number++
		line := strings.TrimSpace(string(line))
		switch {
		case line == "" || line[0] == ';' || line[0] == '#':
		case strings.ContainsRune(line, 0):
			return fmt.Errorf("ini: line %d: it is no text", number)
		case line[0] == '[':
			if len(line) < 3 || line[len(line)-1] != ']' {
				return fmt.Errorf("ini: line %d: want [section]", number)
			}
		case strings.IndexAny(line, "=:") < 1:
			return fmt.Errorf("ini: line %d: want key = value, [section] or a comment", number)
		}
	}
	return nil
}
