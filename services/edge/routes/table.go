package routes

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// A Table is a read and checked file. It does not change.
type Table struct {
	Upstreams []Upstream // sorted by name
	Routes    []*Route   // of all hosts, in the order of the file
	exact     map[string]*Host
	wildcards map[string]*Host // by what follows "*."
	any       *Host
}

// An Upstream says where requests go. Two that are equal are the same.
type Upstream struct {
	Name       string
	Address    string // valid for upstream.Parse
	Policy     upstream.Policy
	TLS        bool
	ServerName string // "": the host of the address
	CAFile     string // "": the edge's
	Optional   bool   // an edge is ready without a replica of it
}

// A Host is a virtual host.
type Host struct {
	Names  []string
	exact  map[string]*Route
	prefix []*Route // longest first
}

// A Route is where requests for a path go.
type Route struct {
	Label     string // of logs and metrics: host and path as in the file
	Path      string
	Upstream  string
	Exact     bool          // no other path, where Path ends with /
	Methods   []string      // that may be used; nil: all
	Timeout   time.Duration // 0: the default
	BodyLimit int64         // bytes; 0: the default
	Index     int           // in Table.Routes
}

// Allows tells whether requests with this method go there.
func (r *Route) Allows(method string) bool {
	return r.Methods == nil || slices.Contains(r.Methods, method)
}

// Host finds the virtual host of a name, which is in lower case and without a
// port, or nil.
func (t *Table) Host(name string) *Host {
	if h := t.exact[name]; h != nil {
		return h
	}
	if dot := strings.IndexByte(name, '.'); dot > 0 {
		if h := t.wildcards[name[dot+1:]]; h != nil {
			return h
		}
	}
	return t.any
}

// drop takes the routes of these upstreams out, and the hosts that have no other.
func (t *Table) drop(absent map[string]bool) {
	gone := func(r *Route) bool { return absent[r.Upstream] }
	t.Routes = slices.DeleteFunc(t.Routes, gone)
	for i, r := range t.Routes {
		r.Index = i
	}
	empty := func(_ string, h *Host) bool {
		maps.DeleteFunc(h.exact, func(_ string, r *Route) bool { return gone(r) })
		h.prefix = slices.DeleteFunc(h.prefix, gone)
		return len(h.exact)+len(h.prefix) == 0
	}
	maps.DeleteFunc(t.exact, empty)
	maps.DeleteFunc(t.wildcards, empty)
	if t.any != nil && empty("", t.any) {
		t.any = nil
	}
}

// Route finds the route of a path that is in Comparable form, or nil.
func (h *Host) Route(path string) *Route {
	if r := h.exact[path]; r != nil {
		return r
	}
	for _, r := range h.prefix {
		if strings.HasPrefix(path, r.Path) {
			return r
		}
	}
	return nil
}
