package topology

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/control"
)

// Context is what the table does not say.
type Context struct {
	Root    string                                      // of the tree, absolute
	Dir     string                                      // of the fleet's state, absolute
	Host    string                                      // on which everything listens
	Pair    func(instance string) (Pair, error)         // ports of a replica
	Public  map[string]int                              // ports of the public listeners
	Common  map[string]string                           // variables of all services, below the table
	Real    bool                                        // use real servers where installed
	Set     map[string]map[string]string                // service → variable → value, above the table
	Present func(program string) (path string, ok bool) // looks up a real server
}

// InPath looks a program up in PATH.
func InPath(program string) (string, bool) {
	path, err := exec.LookPath(program)
	return path, err == nil
}

// Resolve gives the nth replica of a service its name, ports and environment.
func (c Context) Resolve(table []Service, s Service, n int) (Process, error) {
	name := Instance(s.Name, n)
	pair, err := c.Pair(name)
	if err != nil {
		return Process{}, fmt.Errorf("ports of %s: %w", name, err)
	}
	r := resolver{Context: c, table: table, service: s, name: name, number: n, pair: pair}
	if server, ok := c.real(s); ok {
		return r.real(server)
	}
	p := Process{
		Service: s.Name, Name: name, Program: filepath.Join(c.Dir, "bin", path.Base(s.Package)),
		Data: c.join(pair.Data), Admin: c.join(pair.Admin),
		Env: map[string]string{"INSTANCE": name, "ADMIN_ADDR": c.join(pair.Admin), "LISTEN_ADDR": c.join(pair.Data)},
	}
	if len(s.Public) > 0 {
		p.Data = c.join(c.Public[s.Public[0].Name])
	}
	layers := []map[string]string{c.Common, s.Env}
	for other, env := range s.With {
		if in(table, other) {
			layers = append(layers, env)
		}
	}
	for _, layer := range append(layers, r.datagrams(), c.Set[s.Name]) {
		for variable, text := range layer {
			if p.Env[variable], err = r.expand(text); err != nil {
				return Process{}, fmt.Errorf("%s of %s: %w", variable, name, err)
			}
		}
	}
	for i, public := range s.Public {
		p.Env[public.Variable] = fmt.Sprintf("fd:%d", 3+i)
		p.Inherit = append(p.Inherit, public.Name)
	}
	p.Ports = r.ports()
	p.Grace, err = grace(p.Env)
	return p, err
}

func (c Context) join(port int) string { return net.JoinHostPort(c.Host, strconv.Itoa(port)) }

// real tells which server of the machine stands in for a service.
func (c Context) real(s Service) (string, bool) {
	if !c.Real || s.Real == nil || !s.Real.complete() {
		return "", false
	}
	return c.Present(s.Real.Program)
}

// complete tells whether what the program needs besides is there.
func (r *Real) complete() bool {
	if r.Folder == "" {
		return true
	}
	info, err := os.Stat(r.Folder)
	return err == nil && info.IsDir()
}

// Substitutes says, for people, what became of the wish for real servers.
func (c Context) Substitutes(table []Service) []string {
	var notes []string
	for _, s := range table {
		if !c.Real || s.Real == nil {
			continue
		}
		if server, ok := c.real(s); ok {
			notes = append(notes, fmt.Sprintf("%s: the real server, %s", s.Name, server))
			continue
		}
		missing := s.Real.Program + " is not installed"
		if _, ok := c.Present(s.Real.Program); ok {
			missing = fmt.Sprintf("there is no folder %s (%s brings it)", s.Real.Folder, s.Real.Bring)
		}
		notes = append(notes, fmt.Sprintf("%s: %s, so the embedded one is used", s.Name, missing))
	}
	return notes
}

// grace is how long a process has from SIGTERM on: its own drain, and a bit.
func grace(env map[string]string) (time.Duration, error) {
	total := 2 * time.Second
	for variable, byDefault := range map[string]time.Duration{"DRAIN_DELAY": 3 * time.Second, "DRAIN_TIMEOUT": 10 * time.Second} {
		text, set := env[variable]
		if !set {
			total += byDefault
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", variable, err)
		}
		total += d
	}
	return total, nil
}

// resolver resolves one replica.
type resolver struct {
	Context
	table   []Service
	service Service
	name    string
	number  int
	pair    Pair
}

// datagrams says who opens the UDP socket: it cannot be shared as a listener
// can, for the packets of one connection would reach several processes.
func (r resolver) datagrams() map[string]string {
	d := r.service.Datagrams
	switch {
	case d == nil:
		return nil
	case r.number == 1:
		return map[string]string{d.Variable: `{{public "` + d.Public + `"}}`}
	}
	return map[string]string{d.Variable: "elsewhere"}
}

// real describes a server that knows nothing of the process contract.
func (r resolver) real(server string) (Process, error) {
	p := Process{
		Service: r.service.Name, Name: r.name, Program: server, Data: r.join(r.pair.Data),
		Env: map[string]string{}, Ping: r.service.Real.Ping, Pong: cmp.Or(r.service.Real.Pong, "^[+]"), Grace: 10 * time.Second,
		Ports: []Port{{"data", r.pair.Data, "tcp"}},
	}
	args := r.service.Real.Args
	if script := r.service.Real.Script; script != "" {
		p.Program, args = "/bin/sh", append([]string{script, server}, args...)
	}
	for _, text := range args {
		arg, err := r.expand(text)
		if err != nil {
			return Process{}, fmt.Errorf("argument %q of %s: %w", text, r.name, err)
		}
		p.Args = append(p.Args, arg)
	}
	return p, nil
}

func (r resolver) ports() []Port {
	ports := []Port{{"data", r.pair.Data, "tcp"}}
	for i, public := range r.service.Public {
		if i == 0 { // the data listener itself
			ports[0].Number = r.Public[public.Name]
			continue
		}
		ports = append(ports, Port{public.Name, r.Public[public.Name], "tcp"})
	}
	if d := r.service.Datagrams; d != nil && r.number == 1 {
		ports = append(ports, Port{d.Name, r.Public[d.Public], "udp"})
	}
	return append(ports, Port{"admin", r.pair.Admin, "tcp"})
}

func (r resolver) expand(text string) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := template.New("value").Option("missingkey=error").Funcs(template.FuncMap{
		"endpoints": r.endpoints, "addr": r.addr, "addrs": r.addrs, "peers": r.peers, "peer": r.peer, "name": func() string { return r.name }, "file": r.file, "base": r.base,
		"pki":     func(name string) string { return filepath.Join(r.Dir, "pki", name) },
		"secret":  func(name string) string { return filepath.Join(r.Dir, "pki", "secrets", name) },
		"private": func(name string) string { return filepath.Join(r.Dir, "data", r.name, name) },
		"shared":  func(name string) string { return filepath.Join(r.Dir, "shared", name) },
		"control": func() string { return control.Socket(r.Dir) },
		"public":  r.public, "port": r.port,
	}).Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, nil)
	return out.String(), err
}

func (r resolver) find(service string) (Service, error) {
	for _, s := range r.table {
		if s.Name == service {
			return s, nil
		}
	}
	return Service{}, fmt.Errorf("there is no service %s", service)
}

func (r resolver) endpoints(service string) (string, error) {
	if _, err := r.find(service); err != nil {
		return "", err
	}
	return "file:" + filepath.Join(r.Dir, "endpoints", service), nil
}

func (r resolver) addr(service string) (string, error) {
	s, err := r.find(service)
	if err != nil {
		return "", err
	}
	if !s.Single {
		return "", fmt.Errorf("%s has several replicas: use its endpoints", service)
	}
	pair, err := r.Pair(Instance(service, 1))
	return r.join(pair.Data), err
}

// addrs is for servers that keep a part of the data each: who uses them must know
// every one by its address, which a restart does not change.
func (r resolver) addrs(service string) (string, error) {
	s, err := r.find(service)
	if err != nil {
		return "", err
	}
	all := make([]string, s.Count)
	for i := range all {
		pair, err := r.Pair(Instance(service, i+1))
		if err != nil {
			return "", err
		}
		all[i] = r.join(pair.Data)
	}
	return strings.Join(all, ","), nil
}

// peers is for replicas that agree with each other, and know each other by name.
func (r resolver) peers(service, scheme string) (string, error) {
	s, err := r.find(service)
	if err != nil {
		return "", err
	}
	all := make([]string, s.Count)
	for i := range all {
		name := Instance(service, i+1)
		addr, err := r.peerOf(name)
		if err != nil {
			return "", err
		}
		all[i] = name + "=" + scheme + addr
	}
	return strings.Join(all, ","), nil
}

func (r resolver) peer() (string, error) { return r.peerOf(r.name) }

// peerOf is where the others find a replica. What they say there is for no other process, so
// the port is in no table of them, and is remembered under a name of its own.
func (r resolver) peerOf(instance string) (string, error) {
	pair, err := r.Pair(instance + "/peer")
	return r.join(pair.Data), err
}

// file finds a file of the tree. That the pattern must match one file only
// spares the table the digest in a file's name, but no ambiguity.
func (r resolver) file(pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(r.Root, pattern))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d files match %s, want one", len(found), pattern)
	}
	return found[0], nil
}

func (r resolver) base(pattern string) (string, error) {
	found, err := r.file(pattern)
	return filepath.Base(found), err
}

func (r resolver) public(name string) (string, error) {
	port, known := r.Public[name]
	if !known {
		return "", fmt.Errorf("there is no public listener %s", name)
	}
	return r.join(port), nil
}

func (r resolver) port(name string) (int, error) {
	switch name {
	case "data":
		return r.pair.Data, nil
	case "admin":
		return r.pair.Admin, nil
	}
	if port, known := r.Public[name]; known {
		return port, nil
	}
	if s, err := r.find(name); err == nil && s.Single {
		pair, err := r.Pair(Instance(name, 1))
		return pair.Data, err
	}
	return 0, fmt.Errorf("there is no public listener %s, and no service of this name that runs once", name)
}
