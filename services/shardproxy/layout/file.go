package layout

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/sharding"
	"github.com/flotilla-dev/flotilla/internal/shardkey"
	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/internal/yamlfile"
)

// Prefix of the variables that a file may refer to as ${NAME}, as the whole of an address.
const Prefix = "SHARDPROXY_UPSTREAM_"

// The bounds of a file.
const (
	MaxShards = 256 // every name is a label in metrics, and each shard has connections of its own
	MaxWeight = 1000
	MaxFile   = 1 << 20
)

// The states of a shard.
const (
	Active   = "active"
	Draining = "draining"
)

// A Layout is what a file says, checked. It does not change.
type Layout struct {
	Key      shardkey.Key
	Function string
	Bounded  float64 // 0: loads are not bounded
	Shards   []Shard
}

// A Shard is an entry of a file. It can be compared.
type Shard struct {
	Name     string
	Weight   int
	Draining bool
	Replicas string // an upstream.Address, variables replaced where they are known
}

// file is the YAML document. What is a pointer differs between "not said" and zero.
type file struct {
	Key      string   `yaml:"key"`
	Function string   `yaml:"function"`
	Bounded  *float64 `yaml:"bounded_load"`
	Shards   []shard  `yaml:"shards"`
}

type shard struct {
	Name     string `yaml:"name"`
	Weight   *int   `yaml:"weight"`
	State    string `yaml:"state"`
	Replicas string `yaml:"replicas"`
}

// reader turns the document into a layout and collects mistakes.
type reader struct {
	lookup func(string) (string, bool)
	wrong  []error
}

// Parse reads a file. The error names every mistake. lookup gives the values of variables
// whose names begin with Prefix; without one they stay as they are, which is enough to
// place keys.
func Parse(content []byte, lookup func(name string) (string, bool)) (*Layout, error) {
	if len(content) > MaxFile {
		return nil, fmt.Errorf("layout: more than %d bytes", MaxFile)
	}
	var f file
	wrong, err := yamlfile.Decode(content, &f)
	if err != nil {
		return nil, fmt.Errorf("layout: %w", err)
	}
	r := reader{lookup: lookup, wrong: wrong}
	l := r.layout(&f)
	if len(r.wrong) > 0 {
		return nil, fmt.Errorf("layout: %w", errors.Join(r.wrong...))
	}
	return l, nil
}

func (r *reader) bad(at, format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
}

func (r *reader) layout(f *file) *Layout {
	l := &Layout{Function: cmp.Or(f.Function, "nginx")}
	var err error
	if l.Key, err = shardkey.Parse(cmp.Or(f.Key, "uri")); err != nil {
		r.wrong = append(r.wrong, err)
	}
	if !slices.Contains(sharding.OrderNames(), l.Function) {
		r.bad("function", "%q is not one of %s", short(l.Function), strings.Join(sharding.OrderNames(), ", "))
	}
	if f.Bounded != nil {
		if l.Bounded = *f.Bounded; l.Bounded != 0 && !(l.Bounded >= 1 && l.Bounded <= 10) {
			r.bad("bounded_load", "%g is not valid: want 1 to 10, such as 1.25, or 0 for no bound", l.Bounded)
		}
	}
	if n := len(f.Shards); n < 1 || n > MaxShards {
		r.bad("shards", "there are %d: want 1 to %d", n, MaxShards)
		return l
	}
	names := map[string]bool{}
	active, total := 0, 0
	for i := range f.Shards {
		s := r.shard(fmt.Sprintf("shards[%d] %s", i, short(f.Shards[i].Name)), &f.Shards[i])
		if names[s.Name] {
			r.bad(fmt.Sprintf("shards[%d]", i), "the name %q is there twice", short(s.Name))
		}
		names[s.Name] = true
		total += s.Weight
		if !s.Draining {
			active++
		}
		l.Shards = append(l.Shards, s)
	}
	if active == 0 {
		r.bad("shards", "all are draining: nobody would get a request")
	}
	if total > sharding.MaxTotal {
		r.bad("shards", "the weights add up to %d, at most %d are possible: divide them all", total, sharding.MaxTotal)
	}
	return l
}

var validName = regexp.MustCompile(`^[A-Za-z0-9._:/\[\]-]{1,128}$`)

func (r *reader) shard(at string, f *shard) Shard {
	s := Shard{Name: f.Name, Weight: 1, Replicas: f.Replicas}
	if !validName.MatchString(f.Name) {
		r.bad(at, "name %q: want 1 to 128 letters, digits and . _ : / [ ] -", short(f.Name))
	}
	if f.Weight != nil {
		if s.Weight = *f.Weight; s.Weight < 1 || s.Weight > MaxWeight {
			r.bad(at, "weight %d: want 1 to %d", s.Weight, MaxWeight)
			s.Weight = 1
		}
	}
	switch f.State {
	case "", Active:
	case Draining:
		s.Draining = true
	default:
		r.bad(at, "state %q: want %s or %s", short(f.State), Active, Draining)
	}
	s.Replicas = r.replicas(at, f.Replicas)
	return s
}

var variable = regexp.MustCompile(`^\$\{([A-Z0-9_]+)\}$`)

// replicas is an address, of which a variable may be the whole.
func (r *reader) replicas(at, text string) string {
	if text == "" {
		r.bad(at, "replicas: want host:port[/adminport],… or dns:name:port[/adminport] or file:path")
		return text
	}
	if m := variable.FindStringSubmatch(text); m != nil {
		if !strings.HasPrefix(m[1], Prefix) {
			r.bad(at, "replicas: only variables that begin with %s can be referred to, not %s", Prefix, short(m[1]))
			return text
		}
		if r.lookup == nil {
			return text
		}
		value, set := r.lookup(m[1])
		if !set || value == "" {
			r.bad(at, "replicas: %s is not set", short(m[1]))
			return text
		}
		text = value
	}
	if _, err := upstream.Parse(text); err != nil {
		r.bad(at, "replicas: %s", short(err.Error()))
	}
	return text
}

// short cuts what is said about a text of any length.
func short(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
