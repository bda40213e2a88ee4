package wiring

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The local fleet has one member of etcd, unless it is told otherwise. Told so, it is the
// same fleet as the others.
func TestTheLocalFleetWithThreeMembersIsTheSame(t *testing.T) {
	all := fleets(t)
	three := once.three
	for _, f := range Check(catalogue(t), all[0], three) {
		t.Error(f)
	}
	for _, fleet := range []Fleet{all[0], all[1], three} {
		if p, found := fleet.Find("etcd"); !found || p.Replicas != 3 {
			t.Errorf("%s: %d members of etcd", fleet.Wiring, p.Replicas)
		}
	}
	if p, _ := once.local.Find("etcd"); p.Replicas != 1 {
		t.Errorf("local: %d members of etcd by default", p.Replicas)
	}
}

// etcd is the one StatefulSet whose replicas need each other to become ready.
func TestTheMembersOfEtcdFindEachOtherInTheCluster(t *testing.T) {
	overlay := filepath.Join(root, "infra", "kubernetes", "overlays", "local")
	m, err := render(overlay)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(m.workloads, func(w workload) bool { return w.Metadata.Name == "etcd" })
	fleet, err := Manifests(overlay, catalogue(t))
	if err != nil {
		t.Fatal(err)
	}
	etcd, found := fleet.Find("etcd")
	if at < 0 || !found {
		t.Fatal("there is no etcd")
	}
	w := m.workloads[at]
	if w.Spec.ManagementPolicy != "Parallel" {
		t.Errorf("podManagementPolicy is %q: the first one would wait for the second to become ready, which waits for the first", w.Spec.ManagementPolicy)
	}
	if etcd.Probes != (Probes{Live: "admin/livez", Ready: "admin/readyz", Startup: "admin/livez"}) {
		t.Errorf("the probes are %+v: no member may be started again because it has no majority", etcd.Probes)
	}
	peers := slices.IndexFunc(m.services, func(s service) bool { return s.Metadata.Name == w.Spec.ServiceName })
	if peers < 0 || m.services[peers].Spec.ClusterIP != "None" || !m.services[peers].Spec.NotReady {
		t.Errorf("the Service %s: want a headless one that names members before they are ready", w.Spec.ServiceName)
	}
	for n := range etcd.Replicas {
		name := "etcd-" + string(rune('0'+n))
		if want := name + "=http://" + name + "." + w.Spec.ServiceName + ":2380"; !slices.ContainsFunc(w.template().Spec.Containers[0].Args, func(arg string) bool {
			return strings.HasPrefix(arg, "--initial-cluster=") && strings.Contains(arg, want)
		}) {
			t.Errorf("--initial-cluster does not name %s", want)
		}
	}
	for _, from := range fleet.Processes {
		for _, port := range etcd.Ports {
			let := m.through("Egress", from, etcd, port) && m.through("Ingress", etcd, from, port)
			if inside := from.Name == "etcd"; port.Name != "data" && let != (inside && port.Name == "peers") {
				t.Errorf("%s → etcd, port %s: let through: %t", from.Name, port.Name, let)
			}
		}
	}
}

// What compose tells the members is what the manifests do, but for names and places.
func TestTheMembersOfEtcdHaveTheSameSettings(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, composeFileName))
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	m, err := render(filepath.Join(root, "infra", "kubernetes", "overlays", "local"))
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(m.workloads, func(w workload) bool { return w.Metadata.Name == "etcd" })
	cluster := m.workloads[at].template().Spec.Containers[0]
	flags := map[string]string{"GOMEMLIMIT": cluster.environment()["GOMEMLIMIT"]}
	for _, arg := range cluster.Args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		flags["ETCD_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = value
	}
	own := []string{"ETCD_NAME", "ETCD_INITIAL_CLUSTER", "ETCD_ADVERTISE_CLIENT_URLS", "ETCD_INITIAL_ADVERTISE_PEER_URLS"}
	env := c.Services["etcd-1"].Environment
	for name, value := range flags {
		if env[name] == "" || env[name] != value && !slices.Contains(own, name) {
			t.Errorf("%s is %q in compose and %q in the manifests", name, env[name], value)
		}
	}
	if len(env) != len(flags) || c.Services["etcd-1"].Image != cluster.Image {
		t.Errorf("compose has %d settings of %s, the manifests %d of %s", len(env), c.Services["etcd-1"].Image, len(flags), cluster.Image)
	}
}
