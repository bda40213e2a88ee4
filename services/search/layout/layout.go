// Package layout is the file that says where the shards of a search are:
//
//	topic: documents         # of the log, with a partition for each shard
//	placement: modulo        # which of them a document belongs to, by its id: modulo or jump
//	shards:                  # in the order of the partitions
//	- ${SEARCH_UPSTREAM_A}
//	- 10.0.0.1:8108/9108,10.0.0.2:8108/9108
//
// Where documents may move to another layout while they are searched, the file names the topic in which that is decided, and, when there
// is one, the other layout; see package control:
//
//	control: documents.layout
//	next:
//	  topic: documents-5
//	  placement: jump
//	  shards: [ … ]
//
// A shard is given by the address of its replicas, in any form of package upstream, or by a variable that holds one.
package layout

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/internal/yamlfile"
)

// Prefix of the variables that a file may refer to as ${NAME}.
const Prefix = "SEARCH_UPSTREAM_"

// The bounds of a file.
const (
	MaxShards = 256
	MaxFile   = 1 << 20
)

// The placements that there are.
const (
	Modulo = "modulo"
	Jump   = "jump"
)

// A Layout is what a file says, checked.
type Layout struct {
	Topic     string
	Placement string
	Shards    []upstream.Address
	Control   string  // topic in which it is decided which layout serves; "": it is always this one
	Next      *Layout // nil: there is none
}

type section struct {
	Topic     string   `yaml:"topic"`
	Placement string   `yaml:"placement"`
	Shards    []string `yaml:"shards"`
}

type file struct {
	section `yaml:",inline"`
	Control string   `yaml:"control"`
	Next    *section `yaml:"next"`
}

// topicName is what Kafka takes for a topic.
var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// Parse reads a file. The error names every mistake. lookup gives the values of variables whose names begin with Prefix.
func Parse(content []byte, lookup func(name string) (string, bool)) (*Layout, error) {
	if len(content) > MaxFile {
		return nil, fmt.Errorf("layout: more than %d bytes", MaxFile)
	}
	var f file
	wrong, err := yamlfile.Decode(content, &f)
	if err != nil {
		return nil, fmt.Errorf("layout: %w", err)
	}
	l, mistakes := f.section.layout(lookup)
	wrong = append(wrong, mistakes...)
	if f.Control != "" && (!isTopic(f.Control) || f.Control == l.Topic) {
		wrong = append(wrong, fmt.Errorf("control: %q is not valid: want 1 to 249 letters, digits and . _ -, and another topic than that of the documents", short(f.Control)))
	}
	l.Control = f.Control
	if f.Next != nil {
		l.Next, mistakes = f.Next.layout(lookup)
		for _, err := range mistakes {
			wrong = append(wrong, fmt.Errorf("next: %w", err))
		}
		if l.Next.Topic == l.Topic || l.Control == "" || l.Control == l.Next.Topic {
			wrong = append(wrong, errors.New("next: want another topic than that of now, and as control a third one, in which it is decided which of them serves"))
		}
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("layout: %w", errors.Join(wrong...))
	}
	return l, nil
}

func isTopic(name string) bool { return topicName.MatchString(name) && name != "." && name != ".." }

// layout checks a section.
func (f section) layout(lookup func(string) (string, bool)) (l *Layout, wrong []error) {
	l = &Layout{Topic: cmp.Or(f.Topic, "documents"), Placement: cmp.Or(f.Placement, Modulo)}
	if !isTopic(l.Topic) {
		wrong = append(wrong, fmt.Errorf("topic: %q is not valid: want 1 to 249 letters, digits and . _ -", short(l.Topic)))
	}
	if l.Placement != Modulo && l.Placement != Jump {
		wrong = append(wrong, fmt.Errorf("placement: %q is not valid: want %s or %s", short(l.Placement), Modulo, Jump))
	}
	if n := len(f.Shards); n < 1 || n > MaxShards {
		wrong = append(wrong, fmt.Errorf("shards: there are %d: want 1 to %d", n, MaxShards))
		f.Shards = nil
	}
	for i, text := range f.Shards {
		address, err := replicas(text, lookup)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("shards[%d]: %w", i, err))
		}
		l.Shards = append(l.Shards, address)
	}
	return l, wrong
}

var variable = regexp.MustCompile(`^\$\{([A-Z0-9_]+)\}$`)

// replicas is an address, of which a variable may be the whole.
func replicas(text string, lookup func(string) (string, bool)) (upstream.Address, error) {
	if m := variable.FindStringSubmatch(text); m != nil {
		name := m[1]
		if !strings.HasPrefix(name, Prefix) {
			return upstream.Address{}, fmt.Errorf("only variables that begin with %s can be referred to, not %s", Prefix, short(name))
		}
		value, set := lookup(name)
		if !set || value == "" {
			return upstream.Address{}, fmt.Errorf("%s is not set", short(name))
		}
		text = value
	}
	a, err := upstream.Parse(text)
	if err != nil {
		return upstream.Address{}, errors.New(short(err.Error()))
	}
	return a, nil
}

// short cuts what is said about a text of any length.
func short(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
