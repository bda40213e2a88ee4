package wiring

import (
	"fmt"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Overlays lists the overlays of a kustomize tree.
func Overlays(tree string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(tree, "overlays", "*", "kustomization.yaml"))
	if err != nil {
		return nil, err
	}
	var all []string
	for _, f := range found {
		all = append(all, filepath.Dir(f))
	}
	return all, nil
}

// Manifests renders an overlay and reads it. A program's own table gives the ports
// of its container their names where the container is not alone in its pod, since
// Kubernetes would take the same name twice for the first one.
func Manifests(overlay string, catalogue Catalogue) (Fleet, error) {
	m, err := render(overlay)
	if err != nil {
		return Fleet{}, err
	}
	return m.fleet("kubernetes/"+filepath.Base(overlay), catalogue)
}

func render(overlay string) (m manifests, err error) {
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
	if err != nil {
		return m, fmt.Errorf("render %s: %w", overlay, err)
	}
	for _, r := range rendered.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return m, fmt.Errorf("render %s: %w", overlay, err)
		}
		if err := m.add(text); err != nil {
			return m, fmt.Errorf("%s: %s: %w", overlay, r.CurId(), err)
		}
	}
	return m, nil
}

// manifests are the objects of an overlay, by kind, as far as they matter here.
type manifests struct {
	namespaces []object
	workloads  []workload
	services   []service
	budgets    []selecting
	policies   []networkPolicy
	configMaps []configMap
}

type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		Labels          map[string]string
	}
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

// matches tells whether a selector selects these labels.
func (s selector) matches(labels map[string]string) bool {
	for name, value := range s.MatchLabels {
		if labels[name] != value {
			return false
		}
	}
	return true
}

type selecting struct {
	object `yaml:",inline"`
	Spec   struct{ Selector selector }
}

type configMap struct {
	object `yaml:",inline"`
	Data   map[string]string
}

type service struct {
	object `yaml:",inline"`
	Spec   struct {
		Type      string
		ClusterIP string `yaml:"clusterIP"`
		NotReady  bool   `yaml:"publishNotReadyAddresses"`
		Selector  map[string]string
		Ports     []struct {
			Name, Protocol string
			Port           int
			TargetPort     string `yaml:"targetPort"`
		}
	}
}

func (m *manifests) add(text []byte) error {
	var o object
	if err := yaml.Unmarshal(text, &o); err != nil {
		return err
	}
	switch o.Kind {
	case "Namespace":
		m.namespaces = append(m.namespaces, o)
	case "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob":
		return decode(text, &m.workloads)
	case "Service":
		return decode(text, &m.services)
	case "PodDisruptionBudget":
		return decode(text, &m.budgets)
	case "NetworkPolicy":
		return decode(text, &m.policies)
	case "ConfigMap":
		return decode(text, &m.configMaps)
	}
	return nil
}

func decode[T any](text []byte, into *[]T) error {
	var one T
	if err := yaml.Unmarshal(text, &one); err != nil {
		return err
	}
	*into = append(*into, one)
	return nil
}

// enforced is the label of a namespace that makes the cluster refuse pods that
// are not restricted.
const enforced = "pod-security.kubernetes.io/enforce"

func (m manifests) fleet(wiring string, catalogue Catalogue) (Fleet, error) {
	restricted := func(n object) bool { return n.Metadata.Labels[enforced] == "restricted" }
	if len(m.namespaces) != 1 || !restricted(m.namespaces[0]) {
		return Fleet{}, fmt.Errorf("%s: want one Namespace with the label %s: restricted", wiring, enforced)
	}
	fleet := Fleet{Wiring: wiring}
	for _, w := range m.workloads {
		if w.Metadata.Namespace != m.namespaces[0].Metadata.Name {
			return Fleet{}, fmt.Errorf("%s: %s is in the namespace %q", wiring, w.Metadata.Name, w.Metadata.Namespace)
		}
		pod, err := w.processes(m, catalogue)
		if err != nil {
			return Fleet{}, fmt.Errorf("%s: %s: %w", wiring, w.Metadata.Name, err)
		}
		fleet.Processes = append(fleet.Processes, pod...)
	}
	fleet.Allowed = m.allowed(fleet)
	return fleet, nil
}

// service finds the Service of a workload: the one of its name that selects its
// pods.
func (m manifests) service(w workload) *Service {
	at := slices.IndexFunc(m.services, func(s service) bool {
		return s.Metadata.Name == w.Metadata.Name && selector{s.Spec.Selector}.matches(w.template().Metadata.Labels)
	})
	if at < 0 {
		return nil
	}
	spec := m.services[at].Spec
	s := &Service{Type: spec.Type, Headless: spec.ClusterIP == "None", NotReady: spec.NotReady}
	for _, p := range spec.Ports {
		s.Ports = append(s.Ports, Port{p.Name, p.Port, orTCP(p.Protocol)})
		s.Targets = append(s.Targets, p.TargetPort)
	}
	return s
}
