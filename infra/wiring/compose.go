package wiring

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// composeFile is the part of docker-compose.yml that matters here. Merge keys
// (<<) are resolved by the decoder.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
}

type composeService struct {
	Image       string `yaml:"image"`
	Build       struct{ Target string }
	User        string             `yaml:"user"`
	Command     any                `yaml:"command"`
	Environment map[string]string  `yaml:"environment"`
	Ports       []composePort      `yaml:"ports"`
	Expose      []string           `yaml:"expose"`
	Healthcheck composeHealthcheck `yaml:"healthcheck"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	Networks    keys     `yaml:"networks"`
	NetworkMode string   `yaml:"network_mode"`
	Profiles    []string `yaml:"profiles"`
	Volumes     []string `yaml:"volumes"`
	Grace       string   `yaml:"stop_grace_period"`
	Restart     string   `yaml:"restart"`
	Deploy      struct {
		Replicas  int
		Resources struct{ Limits struct{ Cpus, Memory string } }
	}
}

// keys are the names in a list, or in a mapping with details.
type keys []string

func (k *keys) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]string)(k))
	}
	details := map[string]any{}
	err := n.Decode(&details)
	*k = slices.Sorted(maps.Keys(details))
	return err
}

type composePort struct {
	Name, Published, Protocol string
	Target                    int
}

type composeHealthcheck struct {
	Test    []string
	Disable bool
}

// Compose reads a compose file. In the interpolated values ${NAME:-default} the
// default is taken: what a clean clone gets. Beside the ports that are published
// by name, a service names what it exposes by number; a program's own table
// gives those their names.
func Compose(file string, catalogue Catalogue) (Fleet, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Fleet{}, err
	}
	var c composeFile
	if err := yaml.Unmarshal([]byte(interpolate(string(text))), &c); err != nil {
		return Fleet{}, fmt.Errorf("%s: %w", file, err)
	}
	fleet := Fleet{Wiring: "compose"}
	for name, s := range c.Services {
		if s.Build.Target == podStage {
			continue
		}
		p, err := s.process(name, filepath.Dir(file), catalogue)
		if err != nil {
			return Fleet{}, fmt.Errorf("%s: service %s: %w", file, name, err)
		}
		fleet.Processes = append(fleet.Processes, p)
	}
	for i, p := range fleet.Processes {
		// A server that is not ours has no table, and cannot expose a port in the network
		// of another: the holder of the pod does.
		if p.Program == "" && c.Services[p.Name].NetworkMode != "" && p.Name == p.pod() {
			fleet.Processes[i].Ports = composeService{Expose: c.holder(p).Expose}.ports(Program{})
		}
	}
	if fleet.Processes, err = c.join(fleet.Processes); err != nil {
		return Fleet{}, fmt.Errorf("%s: %w", file, err)
	}
	slices.SortFunc(fleet.Processes, func(a, b Process) int { return strings.Compare(a.Name, b.Name) })
	fleet.Allowed, fleet.ByNetwork = c.allowed(fleet), true
	return fleet, nil
}

// join makes one process of services that are its replicas: etcd-1, etcd-2 and so on are
// etcd. A server whose replicas know each other by name must be told its own, and compose
// tells replicas of one service nothing of the kind. They may differ in their number only.
func (c composeFile) join(processes []Process) ([]Process, error) {
	var joined []Process
	for _, p := range processes {
		name, numbered := member(p.Name)
		if !numbered {
			joined = append(joined, p)
			continue
		}
		first := name + "-1"
		is, want := c.Services[p.Name].text(name), c.Services[first].text(name)
		if is != want {
			return nil, fmt.Errorf("services %s and %s are replicas of %s, and differ in more than their number:\n%s\n%s", first, p.Name, name, want, is)
		}
		if p.Name != first {
			continue
		}
		p.Name = name
		for c.Services[fmt.Sprintf("%s-%d", name, p.Replicas+1)].Image != "" {
			p.Replicas++
		}
		joined = append(joined, p)
	}
	return joined, nil
}

// member splits the name of a numbered service.
func member(service string) (name string, numbered bool) {
	m := numberedService.FindStringSubmatch(service)
	if m == nil {
		return service, false
	}
	return m[1], true
}

var numberedService = regexp.MustCompile(`^(.+)-[1-9]$`)

// text is all that matters of a service, without the numbers of the members of a set.
func (s composeService) text(set string) string {
	text, err := yaml.Marshal(s)
	if err != nil {
		return err.Error() // which is different from every service
	}
	return regexp.MustCompile(regexp.QuoteMeta(set)+`-[1-9]`).ReplaceAllString(string(text), set+"-N")
}

// podStage is the image that does nothing but hold the network of a pod, as the
// pause container does in Kubernetes. The service of the pod legacy is legacy-pod;
// the members have network_mode: service:legacy-pod.
const podStage = "pod"

// holder is the service whose network a service is in.
func (c composeFile) holder(p Process) composeService {
	if s, joined := c.Services[p.Name+"-1"]; joined && c.Services[p.Name].Image == "" {
		return s
	}
	if p.Pod != "" || c.Services[p.Name].NetworkMode != "" {
		return c.Services[p.pod()+"-"+podStage]
	}
	return c.Services[p.Name]
}

var interpolation = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*(?::?[-?]([^}]*))?\}`)

// interpolate replaces variables by their defaults, and $$ by $.
func interpolate(s string) string {
	return strings.ReplaceAll(interpolation.ReplaceAllString(s, "$1"), "$$", "$")
}

func (s composeService) process(name, dir string, catalogue Catalogue) (Process, error) {
	p := Process{Name: name, Env: s.Environment, Replicas: max(1, s.Deploy.Replicas), Optional: len(s.Profiles) > 0}
	if s.Build.Target != "" {
		p.Program = s.Build.Target
	}
	pod, member := strings.CutPrefix(s.NetworkMode, "service:")
	if pod = strings.TrimSuffix(pod, "-"+podStage); member && pod != name {
		p.Pod = pod
	}
	var err error
	if s.Grace != "" {
		if p.Grace, err = time.ParseDuration(s.Grace); err != nil {
			return p, fmt.Errorf("stop_grace_period: %w", err)
		}
	}
	// What ends by itself is not started again when it did well.
	p.OneShot = s.Restart == "no" || strings.HasPrefix(s.Restart, "on-failure")
	p.Ports = s.ports(catalogue[p.Program])
	if member { // its image says what it exposes; compose cannot, in the network of another
		p.Ports = listeners(catalogue[p.Program], p)
	}
	p.Probes = s.probes(p, catalogue)
	for other, on := range s.DependsOn {
		if on.Condition == "service_healthy" || on.Condition == "service_completed_successfully" {
			p.Waits = append(p.Waits, other)
		}
	}
	limits := s.Deploy.Resources.Limits
	p.Security = &Security{
		MemoryLimit: limits.Memory != "", CPULimit: limits.Cpus != "",
		ReadOnlyRoot: s.ReadOnly,
		// Our images say who they run as; others must be told.
		NonRoot:        p.Program != "" || s.User != "" && !strings.HasPrefix(s.User, "0"),
		NoEscalation:   slices.Contains(s.SecurityOpt, "no-new-privileges:true"),
		DropsAll:       slices.Contains(s.CapDrop, "ALL"),
		SeccompDefault: !slices.ContainsFunc(s.SecurityOpt, func(o string) bool { return strings.HasPrefix(o, "seccomp") }),
		NoServiceLinks: true, NoAPIAccount: true, // there is nothing of the kind
	}
	p.Files, err = s.files(dir)
	return p, err
}

// foreign are the ports of a server that is not ours, in the order in which they are exposed:
// for others, for its own replicas, and for probes and metrics.
var foreign = []string{"data", "peers", "admin"}

// ports lists what is published and what is exposed.
func (s composeService) ports(program Program) []Port {
	var all []Port
	for _, port := range s.Ports {
		all = append(all, Port{port.Name, port.Target, orTCP(port.Protocol)})
	}
	for i, exposed := range s.Expose {
		number, protocol, _ := strings.Cut(exposed, "/")
		one := Port{Protocol: orTCP(protocol)}
		fmt.Sscanf(number, "%d", &one.Number)
		for _, own := range program.Ports {
			if own.Number == one.Number && own.Protocol == one.Protocol {
				one.Name = own.Name
			}
		}
		if program.Program == "" && i < len(foreign) {
			one.Name = foreign[i]
		}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

func orTCP(protocol string) string {
	if protocol == "" {
		return "tcp"
	}
	return strings.ToLower(protocol)
}

// probes: compose has one question, which gates the start and shows health.
func (s composeService) probes(p Process, catalogue Catalogue) Probes {
	test := s.Healthcheck.Test
	program, ours := catalogue[p.Program]
	switch {
	case s.Healthcheck.Disable:
		return Probes{}
	case len(test) > 0:
		return Probes{Ready: strings.Join(test[1:], " ")}
	case ours && len(program.Ports) > 0: // the image's own
		return Probes{Ready: "/" + p.Program + " --healthcheck"}
	}
	return Probes{}
}

// files reads the single files that are mounted from the tree.
func (s composeService) files(dir string) (map[string]string, error) {
	files := map[string]string{}
	if len(s.Profiles) > 0 { // what is started on demand is nobody's wiring
		return files, nil
	}
	for _, v := range s.Volumes {
		source, rest, ok := strings.Cut(v, ":")
		if info, err := os.Stat(filepath.Join(dir, source)); !ok || !strings.HasPrefix(source, "./") || err == nil && info.IsDir() || strings.HasPrefix(source, "./.flotilla/") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, source))
		if err != nil {
			return nil, err
		}
		target, _, _ := strings.Cut(rest, ":")
		files[target] = string(content)
	}
	return files, nil
}

// allowed: containers that share a network reach each other.
func (c composeFile) allowed(fleet Fleet) []Call {
	var calls []Call
	for _, from := range fleet.Processes {
		for _, to := range fleet.Processes {
			shared := slices.ContainsFunc(c.holder(from).Networks, func(n string) bool {
				return slices.Contains(c.holder(to).Networks, n)
			})
			if from.pod() == to.pod() || !shared {
				continue
			}
			for _, port := range to.Ports {
				if call := (Call{from.pod(), to.pod(), port.Number, port.Protocol}); !slices.Contains(calls, call) {
					calls = append(calls, call)
				}
			}
		}
	}
	return calls
}
