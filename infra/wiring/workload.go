package wiring

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// workload is a Deployment, StatefulSet or Job.
type workload struct {
	object `yaml:",inline"`
	Spec   struct {
		Replicas         *int
		ServiceName      string `yaml:"serviceName"`
		ManagementPolicy string `yaml:"podManagementPolicy"`
		MinReadySeconds  int    `yaml:"minReadySeconds"`
		Strategy         struct {
			RollingUpdate struct {
				MaxUnavailable string `yaml:"maxUnavailable"`
			} `yaml:"rollingUpdate"`
		}
		Template    podTemplate
		JobTemplate struct {
			Spec struct{ Template podTemplate }
		} `yaml:"jobTemplate"`
	}
}

type podTemplate struct {
	Metadata struct{ Labels map[string]string }
	Spec     struct {
		Automount       *bool           `yaml:"automountServiceAccountToken"`
		ServiceLinks    *bool           `yaml:"enableServiceLinks"`
		ShareProcesses  bool            `yaml:"shareProcessNamespace"`
		Grace           *int            `yaml:"terminationGracePeriodSeconds"`
		SecurityContext securityContext `yaml:"securityContext"`
		Spread          []struct {
			LabelSelector selector `yaml:"labelSelector"`
		} `yaml:"topologySpreadConstraints"`
		InitContainers []container `yaml:"initContainers"`
		Containers     []container
		Volumes        []volume
	}
}

type securityContext struct {
	RunAsNonRoot   bool  `yaml:"runAsNonRoot"`
	Escalation     *bool `yaml:"allowPrivilegeEscalation"`
	ReadOnlyRoot   bool  `yaml:"readOnlyRootFilesystem"`
	Capabilities   struct{ Drop []string }
	SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
}

type container struct {
	Name, Image   string
	Args          []string
	RestartPolicy string `yaml:"restartPolicy"`
	Env           []struct {
		Name, Value string
		ValueFrom   map[string]any `yaml:"valueFrom"`
	}
	Ports []struct {
		Name, Protocol string
		ContainerPort  int `yaml:"containerPort"`
	}
	Liveness        *askedBy `yaml:"livenessProbe"`
	Readiness       *askedBy `yaml:"readinessProbe"`
	Startup         *askedBy `yaml:"startupProbe"`
	Resources       struct{ Limits map[string]string }
	SecurityContext securityContext `yaml:"securityContext"`
	VolumeMounts    []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type volume struct {
	Name      string
	ConfigMap struct{ Name string } `yaml:"configMap"`
}

type askedBy struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
	Exec    struct{ Command []string }
}

// String writes a probe as port/path, or as its command.
func (a *askedBy) String() string {
	switch {
	case a == nil:
		return ""
	case len(a.Exec.Command) > 0:
		return strings.Join(a.Exec.Command, " ")
	}
	return a.HTTPGet.Port + a.HTTPGet.Path
}

func (w workload) template() podTemplate {
	if w.Kind == "CronJob" {
		return w.Spec.JobTemplate.Spec.Template
	}
	return w.Spec.Template
}

// processes reads the containers of a workload: the application first, then its
// sidecars, which are init containers that go on running.
func (w workload) processes(m manifests, catalogue Catalogue) ([]Process, error) {
	pod := w.template()
	if len(pod.Spec.Containers) != 1 {
		return nil, fmt.Errorf("want one container in a pod, and sidecars as init containers with restartPolicy: Always")
	}
	all := []Process{w.process(m, pod.Spec.Containers[0])}
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy != "Always" {
			return nil, fmt.Errorf("init container %s: want restartPolicy: Always, which makes it a sidecar", c.Name)
		}
		p := w.process(m, c)
		p.Name, p.Pod = c.Name, w.Metadata.Name
		p.nameByNumber(catalogue[p.Program])
		all = append(all, p)
	}
	return all, nil
}

// nameByNumber gives the ports of a sidecar, and those that its probes ask, the
// names that the program has for them.
func (p *Process) nameByNumber(program Program) {
	for _, own := range listeners(program, *p) {
		for i := range p.Ports {
			if p.Ports[i].Number == own.Number && p.Ports[i].Protocol == own.Protocol {
				p.Ports[i].Name = own.Name
			}
		}
		for _, probe := range []*string{&p.Probes.Live, &p.Probes.Ready, &p.Probes.Startup} {
			if rest, asks := strings.CutPrefix(*probe, strconv.Itoa(own.Number)+"/"); asks {
				*probe = own.Name + "/" + rest
			}
		}
	}
}

// hold is how long a new pod has to be ready before an old one goes.
func (w workload) hold() time.Duration {
	if w.Spec.ManagementPolicy == "Parallel" {
		return 0 // a StatefulSet does not heed it then: kubernetes/kubernetes#119234
	}
	return time.Duration(w.Spec.MinReadySeconds) * time.Second
}

// process reads one container of a workload.
func (w workload) process(m manifests, c container) Process {
	pod := w.template()
	p := Process{
		Name: w.Metadata.Name, Program: c.program(), Replicas: 1,
		OneShot: strings.HasSuffix(w.Kind, "Job"),
		Env:     c.environment(),
		Probes:  Probes{Live: c.Liveness.String(), Ready: c.Readiness.String(), Startup: c.Startup.String()},
		Grace:   30 * time.Second, // Kubernetes' default
		Hold:    w.hold(),
		Files:   m.files(pod, c),
		Cluster: &Cluster{Service: m.service(w), Surge: w.Kind != "Deployment" || w.Spec.Strategy.RollingUpdate.MaxUnavailable == "0"},
	}
	if w.Spec.Replicas != nil {
		p.Replicas = *w.Spec.Replicas
	}
	if pod.Spec.Grace != nil {
		p.Grace = time.Duration(*pod.Spec.Grace) * time.Second
	}
	for _, port := range c.Ports {
		p.Ports = append(p.Ports, Port{port.Name, port.ContainerPort, orTCP(port.Protocol)})
	}
	p.Cluster.Budget = slices.ContainsFunc(m.budgets, func(b selecting) bool { return b.Spec.Selector.matches(pod.Metadata.Labels) })
	for _, s := range pod.Spec.Spread {
		p.Cluster.Spread = p.Cluster.Spread || s.LabelSelector.matches(pod.Metadata.Labels)
	}
	p.Security = c.security(pod)
	return p
}

// program is the one of ours in the container's image, which has its name;
// "" for another's, which has no folder of ours.
func (c container) program() string {
	repository, _, _ := strings.Cut(path.Base(c.Image), ":")
	if !strings.Contains(c.Image, "flotilla") {
		return ""
	}
	return repository
}

func (c container) environment() map[string]string {
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
		if e.ValueFrom != nil {
			env[e.Name] = "(filled in by the cluster)"
		}
	}
	return env
}

func (c container) security(pod podTemplate) *Security {
	off := func(b *bool) bool { return b != nil && !*b }
	own, all := c.SecurityContext, pod.Spec.SecurityContext
	return &Security{
		MemoryLimit: c.Resources.Limits["memory"] != "", CPULimit: c.Resources.Limits["cpu"] != "",
		ReadOnlyRoot:   own.ReadOnlyRoot,
		NonRoot:        own.RunAsNonRoot || all.RunAsNonRoot,
		NoEscalation:   off(own.Escalation),
		DropsAll:       slices.Contains(own.Capabilities.Drop, "ALL"),
		SeccompDefault: own.SeccompProfile.Type == "RuntimeDefault" || all.SeccompProfile.Type == "RuntimeDefault",
		NoServiceLinks: off(pod.Spec.ServiceLinks),
		NoAPIAccount:   off(pod.Spec.Automount),
	}
}

// files are the contents of the ConfigMaps that are mounted.
func (m manifests) files(pod podTemplate, c container) map[string]string {
	files := map[string]string{}
	for _, mount := range c.VolumeMounts {
		for _, v := range pod.Spec.Volumes {
			for _, given := range m.configMaps {
				if v.Name != mount.Name || v.ConfigMap.Name != given.Metadata.Name {
					continue
				}
				for name, content := range given.Data {
					files[path.Join(mount.MountPath, name)] = content
				}
			}
		}
	}
	return files
}
