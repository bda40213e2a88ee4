package wiring

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Fleet is what one wiring starts.
type Fleet struct {
	Wiring    string // "compose", "kubernetes/local", "local"
	Processes []Process
	Allowed   []Call // what its network lets through; nil: everything
	ByNetwork bool   // Allowed comes from shared networks, which know no direction and no port
}

// A Process is one row of a wiring: a service of compose, a workload of
// Kubernetes, a row of the local table.
type Process struct {
	Name     string            // under which others reach it, unless it is in the pod of another
	Pod      string            // whose network it shares; "" for a pod of its own
	Program  string            // which of ours it runs; "" for somebody else's image
	Replicas int               // how many there are
	OneShot  bool              // does its work and ends
	Optional bool              // only started on demand
	Env      map[string]string // as configured, without defaults
	Files    map[string]string // configuration files it is given: mount path → content
	Ports    []Port            // that are named to others
	Probes   Probes
	Grace    time.Duration // from the request to stop until it is killed; 0: none is set
	Hold     time.Duration // how long a new replica is ready before an old one goes
	Waits    []string      // processes that it waits for before it starts
	Security *Security     // nil: a process without a container
	Cluster  *Cluster      // nil: it does not run in Kubernetes
}

// Cluster is what only Kubernetes has.
type Cluster struct {
	Service *Service // by which others find it
	Budget  bool     // a PodDisruptionBudget is for it
	Spread  bool     // its replicas are spread over nodes
	Surge   bool     // none is taken away before a new one is ready
}

// Service is a Service of Kubernetes.
type Service struct {
	Type     string
	Headless bool
	NotReady bool // tells of replicas that are not ready, too
	Ports    []Port
	Targets  []string // names of the ports that it leads to
}

// A Port is a listener that the wiring names.
type Port struct {
	Name     string
	Number   int
	Protocol string // tcp or udp
}

func (p Port) String() string { return fmt.Sprintf("%s %d/%s", p.Name, p.Number, p.Protocol) }

// Probes are the questions that the wiring asks a process; "" where it asks
// none. They are written port/path, as in "admin/readyz", or as the command.
type Probes struct{ Live, Ready, Startup string }

// Security is what surrounds a container.
type Security struct {
	MemoryLimit, CPULimit        bool
	ReadOnlyRoot                 bool
	NonRoot                      bool
	NoEscalation                 bool
	DropsAll                     bool
	SeccompDefault               bool
	NoServiceLinks, NoAPIAccount bool // Kubernetes: neither Service variables nor a token
}

// A Call is a connection from one process to a port of another.
type Call struct {
	From, To string
	Port     int
	Protocol string
}

func (c Call) String() string {
	return fmt.Sprintf("%s → %s:%d/%s", c.From, c.To, c.Port, c.Protocol)
}

// Find returns the process of that name.
func (f Fleet) Find(name string) (Process, bool) {
	for _, p := range f.Processes {
		if p.Name == name {
			return p, true
		}
	}
	return Process{}, false
}

// pod is the name of the pod that a process is in.
func (p Process) pod() string {
	if p.Pod != "" {
		return p.Pod
	}
	return p.Name
}

// Pod returns the processes of the pod that a host name leads to: the pod's own
// name, or that of one of its processes. A replica with a name of its own has a
// number behind it, and in compose the project before it: redis-shard-0,
// flotilla-redis-shard-1.
func (f Fleet) Pod(host string) []Process {
	for _, name := range []string{host, replica.ReplaceAllString(host, "$1")} {
		at := slices.IndexFunc(f.Processes, func(p Process) bool { return p.Name == name || p.Pod == name })
		if at < 0 {
			continue
		}
		pod := f.Processes[at].pod()
		return slices.DeleteFunc(slices.Clone(f.Processes), func(p Process) bool { return p.pod() != pod })
	}
	return nil
}

var replica = regexp.MustCompile(`^(?:flotilla-)?(.+)-[0-9]+$`)

// serving are the processes that run all the time.
func (f Fleet) serving() []Process {
	return slices.DeleteFunc(slices.Clone(f.Processes), func(p Process) bool { return p.OneShot || p.Optional })
}

// A Finding is one disagreement.
type Finding struct {
	Wiring  string
	Process string
	Is      string
	Right   string // what would be right
}

func (f Finding) String() string {
	return fmt.Sprintf("%s, %s: %s; right would be: %s", f.Wiring, f.Process, f.Is, f.Right)
}

// findings collects what a rule finds about one process.
type findings struct {
	wiring, process string
	all             []Finding
}

func (f *findings) add(right, is string, args ...any) {
	f.all = append(f.all, Finding{f.wiring, f.process, fmt.Sprintf(is, args...), right})
}

// each applies a rule to every process of a fleet.
func each(fleet Fleet, rule func(p Process, f *findings)) []Finding {
	var all []Finding
	for _, p := range fleet.Processes {
		f := &findings{wiring: fleet.Wiring, process: p.Name}
		rule(p, f)
		all = append(all, f.all...)
	}
	return all
}

// names joins the names of things in a stable order.
func names[T any](of []T, name func(T) string) string {
	all := make([]string, 0, len(of))
	for _, one := range of {
		all = append(all, name(one))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}
