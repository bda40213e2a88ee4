package routes

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// Prefix of the variables that a file may refer to.
const Prefix = "EDGE_UPSTREAM_"

// A Problem is one mistake.
type Problem struct {
	Line    int // 0: of the file as a whole
	Message string
}

// Error lists all mistakes of a file.
type Error []Problem

func (e Error) Error() string {
	lines := []string{"routes:"}
	for _, p := range e {
		lines = append(lines, fmt.Sprintf("  line %d: %s", p.Line, p.Message))
	}
	return strings.Join(lines, "\n")
}

// Parse reads a file. lookup gives the value of a variable. The error, if any,
// is an Error that names every mistake.
func Parse(text []byte, lookup func(name string) (string, bool)) (*Table, error) {
	d := &decoder{lookup: lookup}
	table := &Table{exact: map[string]*Host{}, wildcards: map[string]*Host{}}
	if root := d.document(text); root != nil {
		d.table(root, table)
	}
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, Error(d.problems)
	}
	return table, nil
}

// decoder walks the YAML tree and collects mistakes.
type decoder struct {
	lookup    func(string) (string, bool)
	problems  []Problem
	upstreams map[string]bool // that routes may name
	absent    map[string]bool // those of them that are optional and have no address
}

func (d *decoder) wrong(n *yaml.Node, format string, args ...any) {
	line := 0
	if n != nil {
		line = n.Line
	}
	d.problems = append(d.problems, Problem{line, fmt.Sprintf(format, args...)})
}

func (d *decoder) document(text []byte) *yaml.Node {
	var root, more yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(text))
	if err := in.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
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

func (d *decoder) table(n *yaml.Node, t *Table) {
	d.upstreams, d.absent = map[string]bool{}, map[string]bool{}
	var hosts *yaml.Node
	d.mapping(n, "the file", map[string]func(*yaml.Node){
		"upstreams": func(n *yaml.Node) { d.eachUpstream(n, t) },
		"hosts":     func(n *yaml.Node) { hosts = n },
	})
	if hosts == nil {
		d.wrong(n, "hosts is missing: it lists the virtual hosts")
		return
	}
	d.list(hosts, "hosts", func(n *yaml.Node) { d.host(n, t) })
	t.drop(d.absent) // when all are read: mistakes in them are mistakes
	slices.SortFunc(t.Upstreams, func(a, b Upstream) int { return strings.Compare(a.Name, b.Name) })
}

func (d *decoder) eachUpstream(n *yaml.Node, t *Table) {
	d.pairs(n, "upstreams", func(name, value *yaml.Node) {
		d.upstreams[name.Value] = true
		if !only(name.Value, isName) {
			d.wrong(name, "upstream name %q: use letters, digits, '-', '_' and '.'", name.Value)
		}
		u := d.upstream(name, value)
		if u.Optional && u.Address == "" {
			d.absent[u.Name] = true
			return
		}
		t.Upstreams = append(t.Upstreams, u)
	})
}

func (d *decoder) upstream(name, n *yaml.Node) Upstream {
	u := Upstream{Name: name.Value}
	var address *yaml.Node
	before := len(d.problems)
	d.mapping(n, "upstream "+u.Name, map[string]func(*yaml.Node){
		"address": func(n *yaml.Node) { address = n },
		"policy": func(n *yaml.Node) {
			if err := u.Policy.UnmarshalText([]byte(d.text(n, "policy"))); err != nil {
				d.wrong(n, "%v", err)
			}
		},
		"tls":      func(n *yaml.Node) { d.tls(n, &u) },
		"optional": func(n *yaml.Node) { u.Optional = d.truth(n, "optional") },
	})
	switch {
	case address != nil:
		u.Address = d.address(address, u.Optional)
	case len(d.problems) == before:
		d.wrong(name, "upstream %s has no address", u.Name)
	}
	return u
}

// address reads where an upstream is. That of an optional one may be empty.
func (d *decoder) address(n *yaml.Node, optional bool) string {
	read := d.text
	if optional {
		read = d.mayBeEmpty
	}
	text := read(n, "address")
	if _, err := upstream.Parse(text); err != nil && text != "" {
		d.wrong(n, "%v", err)
	}
	return text
}

func (d *decoder) truth(n *yaml.Node, what string) bool {
	switch d.text(n, what) {
	case "true":
		return true
	case "false":
	default:
		d.wrong(n, "%s: want true or false", what)
	}
	return false
}

func (d *decoder) tls(n *yaml.Node, u *Upstream) {
	if n = resolve(n); n.Kind == yaml.ScalarNode {
		switch d.text(n, "tls") {
		case "true":
			u.TLS = true
		case "false":
		default:
			d.wrong(n, "tls: want true, false, or a mapping with server_name and ca_file")
		}
		return
	}
	u.TLS = true
	d.mapping(n, "tls", map[string]func(*yaml.Node){
		"server_name": func(n *yaml.Node) {
			u.ServerName = d.text(n, "server_name")
			if _, ok := HostName(u.ServerName); !ok {
				d.wrong(n, "server_name %q is not a host name", u.ServerName)
			}
		},
		"ca_file": func(n *yaml.Node) { u.CAFile = d.text(n, "ca_file") },
	})
}

func (d *decoder) host(n *yaml.Node, t *Table) {
	h := &Host{exact: map[string]*Route{}}
	var routes *yaml.Node
	d.mapping(n, "host", map[string]func(*yaml.Node){
		"names": func(n *yaml.Node) {
			d.list(n, "names", func(n *yaml.Node) { d.name(n, h, t) })
		},
		"routes": func(n *yaml.Node) { routes = n },
	})
	if len(h.Names) == 0 {
		d.wrong(n, "host has no names")
		h.Names = []string{"?"}
	}
	if routes == nil {
		d.wrong(n, "host %s has no routes", h.Names[0])
		return
	}
	d.list(routes, "routes", func(n *yaml.Node) { d.route(n, h, t) })
	slices.SortStableFunc(h.prefix, func(a, b *Route) int { return cmp.Compare(len(b.Path), len(a.Path)) })
}

// name enters one name of a host into the table.
func (d *decoder) name(n *yaml.Node, h *Host, t *Table) {
	text := d.text(n, "names")
	name, into := text, t.exact
	switch {
	case text == "":
		return
	case text == "*":
		h.Names = append(h.Names, text)
		if t.any != nil {
			d.wrong(n, "host name \"*\" is there twice")
		}
		t.any = h
		return
	case strings.HasPrefix(text, "*."):
		name, into = text[2:], t.wildcards
	}
	name, ok := HostName(name)
	if !ok || strings.Contains(text, ":") && !strings.HasPrefix(text, "[") {
		d.wrong(n, "host name %q is none: want a name without port, such as a.example or *.example", text)
		return
	}
	if into[name] != nil {
		d.wrong(n, "host name %q is there twice", text)
	}
	into[name] = h
	h.Names = append(h.Names, text)
}

func (d *decoder) route(n *yaml.Node, h *Host, t *Table) {
	r := &Route{Index: len(t.Routes)}
	before := len(d.problems)
	d.mapping(n, "route", map[string]func(*yaml.Node){
		"path": func(n *yaml.Node) { r.Path = d.path(n) },
		"upstream": func(n *yaml.Node) {
			if r.Upstream = d.text(n, "upstream"); !d.upstreams[r.Upstream] && r.Upstream != "" {
				d.wrong(n, "upstream %q is not one of upstreams", r.Upstream)
			}
		},
		"exact":      func(n *yaml.Node) { r.Exact = d.truth(n, "exact") },
		"methods":    func(n *yaml.Node) { d.list(n, "methods", func(n *yaml.Node) { d.method(n, r) }) },
		"timeout":    func(n *yaml.Node) { r.Timeout = d.duration(n, "timeout") },
		"body_limit": func(n *yaml.Node) { r.BodyLimit = d.size(n, "body_limit") },
	})
	if len(d.problems) > before {
		return
	}
	if r.Path == "" {
		d.wrong(n, "route has no path")
	}
	if r.Upstream == "" {
		d.wrong(n, "route has no upstream")
	}
	r.Label = h.Names[0] + r.Path
	if h.exact[r.Path] != nil || slices.ContainsFunc(h.prefix, func(o *Route) bool { return o.Path == r.Path }) {
		d.wrong(n, "path %s is there twice", r.Path)
	}
	if strings.HasSuffix(r.Path, "/") && !r.Exact {
		h.prefix = append(h.prefix, r)
	} else {
		h.exact[r.Path] = r
	}
	t.Routes = append(t.Routes, r)
}

// passed are the methods that an edge passes on; see RFC 9110, 9.3, and RFC 5789. Only these can be
// listed, because a misspelt one would close the route for the right one.
var passed = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

func (d *decoder) method(n *yaml.Node, r *Route) {
	text := d.text(n, "methods")
	switch {
	case text == "":
	case !slices.Contains(passed, text):
		d.wrong(n, "method %q: want one of %s", text, strings.Join(passed, ", "))
	case slices.Contains(r.Methods, text):
		d.wrong(n, "method %s is there twice", text)
	default:
		r.Methods = append(r.Methods, text)
	}
}

func (d *decoder) path(n *yaml.Node) string {
	text := d.text(n, "path")
	path, ok := Comparable(text)
	if !ok || !strings.HasPrefix(text, "/") || strings.ContainsAny(text, "?# \t") {
		d.wrong(n, "path %q: want one that begins with /, without query and dot segments", text)
	}
	return path
}

func (d *decoder) duration(n *yaml.Node, what string) time.Duration {
	text := d.text(n, what)
	v, err := time.ParseDuration(text)
	if err != nil || v <= 0 {
		d.wrong(n, "%s %q: want a duration above zero with its unit, such as 250ms or 10s", what, text)
	}
	return v
}

func (d *decoder) size(n *yaml.Node, what string) int64 {
	text := d.text(n, what)
	var v config.Size
	if err := v.UnmarshalText([]byte(text)); err != nil || v <= 0 {
		d.wrong(n, "%s %q: want a size above zero with its unit, such as 64KiB", what, text)
	}
	return int64(v)
}
