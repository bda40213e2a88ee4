package routes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// pairs visits the keys and values of a mapping.
func (d *decoder) pairs(n *yaml.Node, what string, visit func(key, value *yaml.Node)) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		d.wrong(n, "%s: want a mapping", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := resolve(n.Content[i])
		if key.Kind != yaml.ScalarNode {
			d.wrong(key, "%s: a key must be a plain name", what)
			continue
		}
		if seen[key.Value] {
			d.wrong(key, "%s: %q is there twice", what, key.Value)
			continue
		}
		seen[key.Value] = true
		visit(key, n.Content[i+1])
	}
}

// mapping visits the known keys of a mapping. Others are mistakes.
func (d *decoder) mapping(n *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	d.pairs(n, what, func(key, value *yaml.Node) {
		visit := known[key.Value]
		if visit == nil {
			d.wrong(key, "%s: unknown key %q, known are %s", what, key.Value, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			return
		}
		visit(value)
	})
}

func (d *decoder) list(n *yaml.Node, what string, visit func(*yaml.Node)) {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, "%s: want a list", what)
		return
	}
	if len(n.Content) == 0 {
		d.wrong(n, "%s: the list is empty", what)
	}
	for _, element := range n.Content {
		visit(element)
	}
}

// text returns a value with its variables replaced. It is never empty without a
// mistake having been noted.
func (d *decoder) text(n *yaml.Node, what string) string {
	before := len(d.problems)
	text := d.mayBeEmpty(n, what)
	if text == "" && len(d.problems) == before {
		d.wrong(resolve(n), "%s is empty", what)
	}
	return text
}

// mayBeEmpty returns a value with its variables replaced.
func (d *decoder) mayBeEmpty(n *yaml.Node, what string) string {
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.wrong(n, "%s: want a value", what)
		return ""
	}
	text, err := expand(n.Value, d.lookup)
	if err != nil {
		d.wrong(n, "%s: %v", what, err)
		return ""
	}
	return text
}

// expand replaces ${NAME} and ${NAME:-default}.
func expand(text string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		reference, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf("${ has no }")
		}
		name, fallback, hasFallback := strings.Cut(reference, ":-")
		if !strings.HasPrefix(name, Prefix) || len(name) == len(Prefix) {
			return "", fmt.Errorf("${%s}: only variables whose names begin with %s can be used", name, Prefix)
		}
		value, set := lookup(name)
		switch {
		case set && value != "":
			b.WriteString(value)
		case hasFallback:
			b.WriteString(fallback)
		default:
			return "", fmt.Errorf("${%s} is not set", name)
		}
		text = after
	}
}
