package nutcracker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Problem is one mistake of a file.
type Problem struct {
	Line    int // 0: of the file as a whole
	Message string
}

// Error lists all mistakes of a file.
type Error []Problem

func (e Error) Error() string {
	lines := []string{"nutcracker.yaml:"}
	for _, p := range e {
		if p.Line == 0 {
			lines = append(lines, "  "+p.Message)
			continue
		}
		lines = append(lines, fmt.Sprintf("  line %d: %s", p.Line, p.Message))
	}
	return strings.Join(lines, "\n")
}

// Parse reads a file. The error, if any, is an Error that names every mistake.
func Parse(text []byte) ([]Pool, error) {
	d := &decoder{}
	var pools []Pool
	if root := d.document(text); root != nil {
		pools = d.pools(root)
	}
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, Error(d.problems)
	}
	return pools, nil
}

// decoder walks the YAML tree and collects mistakes.
type decoder struct {
	problems []Problem
	pool     string // being read
}

func (d *decoder) wrong(n *yaml.Node, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if d.pool != "" {
		message = "pool " + d.pool + ": " + message
	}
	d.problems = append(d.problems, Problem{n.Line, message})
}

func (d *decoder) document(text []byte) *yaml.Node {
	var root, more yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(text))
	if err := in.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file has no pool")
		}
		d.syntax(err)
		return nil
	}
	if in.Decode(&more) != io.EOF {
		d.wrong(&more, "there is a second document; one is all that is read")
	}
	return root.Content[0]
}

// syntax reports an error of the YAML parser, which names the line in its text.
func (d *decoder) syntax(err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if n, _ := fmt.Sscanf(message, "line %d:", &line); n == 1 {
		_, message, _ = strings.Cut(message, ": ")
	}
	d.problems = append(d.problems, Problem{line, message})
}

// pairs visits the keys and values of a mapping.
func (d *decoder) pairs(n *yaml.Node, visit func(key, value *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.Value == "":
			d.wrong(key, "a key must be a plain name")
		case seen[key.Value]:
			d.wrong(key, "%s is there twice", key.Value)
		default:
			seen[key.Value] = true
			visit(key, n.Content[i+1])
		}
	}
}

func (d *decoder) pools(root *yaml.Node) []Pool {
	if root.Kind != yaml.MappingNode || len(root.Content) == 0 {
		d.wrong(root, "want pools: names, each with its settings below it")
		return nil
	}
	var pools []Pool
	listeners := map[string]string{}
	d.pairs(root, func(key, value *yaml.Node) {
		d.pool = key.Value
		defer func() { d.pool = "" }()
		if len(pools) == maxPools {
			d.wrong(key, "more than %d pools", maxPools)
			return
		}
		p := d.onePool(key, value)
		if other := listeners[p.Listen]; other != "" && p.Listen != "" {
			d.wrong(key, "listen: %s is the address of pool %s too", p.Listen, other)
		}
		listeners[p.Listen] = p.Name
		pools = append(pools, p)
	})
	return pools
}
