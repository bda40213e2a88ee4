// Package info reads the answer of Redis' INFO command:
//
//	# Memory
//	used_memory:1299288
//
//	# Replication
//	slave0:ip=127.0.0.1,port=6380,state=online,offset=823,lag=1
//
//	# Commandstats
//	cmdstat_get:calls=8,usec=14,usec_per_call=1.75,rejected_calls=0,failed_calls=1
//
// Servers of other makes and versions leave fields out and add their own; what
// is no field is passed over.
package info

import (
	"strconv"
	"strings"
)

// Info is one answer.
type Info struct {
	fields map[string]string
	groups []Group
}

// Group is a field whose value is a list of pairs: cmdstat_get, errorstat_ERR,
// latency_percentiles_usec_get, slave0, db0.
type Group struct {
	Kind string // what its name begins with, from Kinds, or "slave" or "db"
	Name string // the rest of its name: the command, the error, the number
	Pairs
}

// Pairs are the pairs of a group: calls=8,usec=14.
type Pairs struct{ text string }

// prefixes are the kinds of groups whose name is what follows the prefix.
func prefixes() [3]string {
	return [3]string{Commands, Errors, Latencies}
}

// The kinds of groups.
const (
	Commands  = "cmdstat_"
	Errors    = "errorstat_"
	Latencies = "latency_percentiles_usec_"
	Replicas  = "slave"
	Databases = "db"
)

// Most bounds the groups that are kept: each is a label value.
const Most = 4096

// Parse reads an answer.
func Parse(text string) *Info {
	i := &Info{fields: make(map[string]string, 256)}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" || name[0] == '#' {
			continue
		}
		if kind, rest, ok := group(name, value); ok {
			if len(i.groups) < Most {
				i.groups = append(i.groups, Group{Kind: kind, Name: rest, Pairs: Pairs{value}})
			}
			continue
		}
		i.fields[name] = value
	}
	return i
}

// group tells whether a field is a group. A number must follow slave and db, so
// that slave_priority is none.
func group(name, value string) (kind, rest string, ok bool) {
	if !strings.Contains(value, "=") {
		return "", "", false
	}
	for _, prefix := range prefixes() {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			return prefix, rest, true
		}
	}
	for _, kind := range [2]string{Replicas, Databases} {
		rest, ok := strings.CutPrefix(name, kind)
		if _, err := strconv.ParseUint(rest, 10, 16); ok && err == nil {
			return kind, rest, true
		}
	}
	return "", "", false
}

// Text is the value of a field; empty when there is none.
func (i *Info) Text(name string) string { return i.fields[name] }

// Has tells whether there is a field.
func (i *Info) Has(name string) bool {
	_, ok := i.fields[name]
	return ok
}

// Number is the value of a field as a number. The states ok and up, yes and true
// are 1, their opposites 0, and a percentage loses its sign.
func (i *Info) Number(name string) (float64, bool) {
	v, ok := i.fields[name]
	if !ok {
		return 0, false
	}
	return number(v)
}

func number(v string) (float64, bool) {
	switch v {
	case "ok", "up", "yes", "true":
		return 1, true
	case "err", "fail", "down", "no", "false":
		return 0, true
	}
	f, err := strconv.ParseFloat(strings.TrimSuffix(v, "%"), 64)
	return f, err == nil
}

// Groups returns the groups of a kind, in the order of the answer.
func (i *Info) Groups(kind string) []Group {
	var found []Group
	for _, g := range i.groups {
		if g.Kind == kind {
			found = append(found, g)
		}
	}
	return found
}

// Get is the value of a pair; empty when there is none.
func (p Pairs) Get(key string) string {
	for pair := range strings.SplitSeq(p.text, ",") {
		if k, v, _ := strings.Cut(pair, "="); k == key {
			return v
		}
	}
	return ""
}

// Number is the value of a pair as a number.
func (p Pairs) Number(key string) (float64, bool) { return number(p.Get(key)) }

// Each visits the pairs.
func (p Pairs) Each(visit func(key, value string)) {
	for pair := range strings.SplitSeq(p.text, ",") {
		if k, v, found := strings.Cut(pair, "="); found {
			visit(k, v)
		}
	}
}
