// Package topology turns the table of a fleet into processes: it gives each a
// name, ports and a complete environment.
package topology

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Service is a row of the table.
//
// The values of Env are templates of text/template. They may use
//
//	{{endpoints "cache"}}     file:… with the endpoints of a service, kept up to date
//	{{addr "content"}}        host:port of the data listener of a service that runs once
//	{{addrs "redis-shard"}}   those of all replicas that the table has, in order, with commas
//	{{peers "etcd" "http://"}}  name=http://host:port of all replicas that the table has, with commas:
//	                          where they find each other, on a port beside those that others use
//	{{peer}}, {{name}}        host:port of this replica among them, and its name
//	{{file "services/x"}}     a file of the tree; a pattern must match exactly one
//	{{base "services/x/*"}}   the last element of it
//	{{pki "edge/tls.crt"}}    a file that infra/pki makes
//	{{secret "admin-token"}}  a file with a secret, made at the first start
//	{{private "data"}}        a directory of this replica
//	{{shared "data"}}         a directory that any replica may write to
//	{{control}}               the control socket of the runner, for who may scale others
//	{{public "https"}}        host:port of a public listener
//	{{port "https"}}          its port; "data" and "admin" are this replica's own,
//	                          and the name of a service that runs once is its data port
type Service struct {
	Name    string
	Pod     string            // the service whose pod it shares in compose and Kubernetes, one replica for one; "" for a pod of its own
	Package string            // of its program, from the root of the tree
	Count   int               // replicas
	Single  bool              // cannot be scaled: it keeps state that is not shared
	Fixed   bool              // cannot be scaled: its replicas know each other, and how many they are
	Needs   []string          // services that are ready before this one is started
	Env     map[string]string // of all replicas
	// With is what Env has beside, by the service that it speaks of: it is set when that service is in the
	// table, and then that one is started first.
	With   map[string]map[string]string
	Public []Public // listeners opened once by the runner and shared by all replicas; the first is the data listener
	// Datagrams is the UDP listener beside a public one, which the first replica
	// opens itself; the others are told that it is "elsewhere".
	Datagrams *Datagrams
	Real      *Real // the real server that can stand in
}

// Public is a listener that all replicas of a service inherit, and the variable
// that tells them its descriptor.
type Public struct{ Name, Variable string }

// Datagrams is a UDP listener: its name, the variable for its address, and the
// public listener whose port number it has.
type Datagrams struct{ Name, Variable, Public string }

// Real is a server of the machine that speaks the same protocol.
type Real struct {
	Program string   // as found in PATH
	Folder  string   // what it needs besides, by its path, and is not always there; "" for nothing
	Bring   string   // what brings the folder, for people
	Script  string   // template: prepares what it needs and becomes it; its first argument is the path of Program
	Args    []string // templates: {{port}} and {{private}} as in Env
	Ping    string   // what a ready server answers with a line that Pong matches
	Pong    string   // a regular expression; "^[+]" when empty, as Redis answers
}

// Pair is the ports of a process.
type Pair struct {
	Data  int `json:"data"`
	Admin int `json:"admin"`
}

// Process is a replica, fully resolved.
type Process struct {
	Service string            `json:"service"`
	Name    string            `json:"name"`
	Program string            `json:"program"` // path to execute
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env"`
	Data    string            `json:"data"`            // host:port
	Admin   string            `json:"admin,omitempty"` // host:port
	Ports   []Port            `json:"ports"`
	Inherit []string          `json:"inherit,omitempty"` // public listeners, from descriptor 3 on
	Ping    string            `json:"ping,omitempty"`    // instead of /readyz
	Pong    string            `json:"pong,omitempty"`    // the expression that the answer matches
	Grace   time.Duration     `json:"-"`                 // from SIGTERM to SIGKILL
}

// Port is a listener of a process by its name in compose and manifests.
type Port struct {
	Name     string `json:"name"`
	Number   int    `json:"number"`
	Protocol string `json:"protocol"`
}

// Instance is the name of the nth replica, from 1 on.
func Instance(service string, n int) string { return fmt.Sprintf("%s-%d", service, n) }

// Validate finds what is wrong with a table, all of it.
func Validate(table []Service) error {
	var errs []error
	known := map[string]bool{}
	for _, s := range table {
		if s.Name == "" || known[s.Name] || strings.ContainsAny(s.Name, " /\t") {
			errs = append(errs, fmt.Errorf("service %q: want a plain name that occurs once", s.Name))
		}
		known[s.Name] = true
		if s.Count < 1 || s.Single && s.Count != 1 {
			errs = append(errs, fmt.Errorf("service %s: %d replicas", s.Name, s.Count))
		}
	}
	for _, s := range table {
		for _, need := range s.Needs {
			if !known[need] {
				errs = append(errs, fmt.Errorf("service %s needs %s, which is not in the table", s.Name, need))
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	_, err := Levels(table)
	return err
}

// Levels orders services: those of a level need only services of levels before.
func Levels(table []Service) ([][]Service, error) {
	var levels [][]Service
	placed := map[string]bool{}
	for len(placed) < len(table) {
		var level []Service
		for _, s := range table {
			if !placed[s.Name] && !slices.ContainsFunc(s.before(table), func(need string) bool { return !placed[need] }) {
				level = append(level, s)
			}
		}
		if len(level) == 0 {
			var rest []string
			for _, s := range table {
				if !placed[s.Name] {
					rest = append(rest, s.Name)
				}
			}
			return nil, fmt.Errorf("services need each other in a circle: %s", strings.Join(rest, ", "))
		}
		for _, s := range level {
			placed[s.Name] = true
		}
		levels = append(levels, level)
	}
	return levels, nil
}

// before lists the services of a table that are started before this one.
func (s Service) before(table []Service) []string {
	all := slices.Clone(s.Needs)
	for other := range s.With {
		if in(table, other) {
			all = append(all, other)
		}
	}
	return all
}

func in(table []Service, name string) bool {
	return slices.ContainsFunc(table, func(s Service) bool { return s.Name == name })
}

// Packages lists the packages of all programs, each once, sorted.
func Packages(table []Service) []string {
	packages := map[string]bool{}
	for _, s := range table {
		packages[s.Package] = true
	}
	return slices.Sorted(maps.Keys(packages))
}
