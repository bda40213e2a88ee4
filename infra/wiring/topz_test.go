package wiring

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The component adds topz to every workload, whatever is added to the fleet.
func TestTheComponentTopzIsInEveryPod(t *testing.T) {
	dir := filepath.Join(copyOfWirings(t), "infra", "kubernetes", "overlays", "local")
	mutate(t, filepath.Join(dir, "kustomization.yaml"), "components:\n", "components:\n- ../../components/topz\n")
	m, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	without, err := render(filepath.Join(root, "infra", "kubernetes", "overlays", "local"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(without.workloads); n == 0 || len(m.workloads) != n {
		t.Errorf("%d workloads with topz, %d without", len(m.workloads), n)
	}
	for _, w := range m.workloads {
		if w.Kind != "Deployment" && w.Kind != "StatefulSet" {
			continue
		}
		pod := w.template().Spec
		i := slices.IndexFunc(pod.InitContainers, func(c container) bool { return c.Name == "topz" })
		if i < 0 || pod.InitContainers[i].RestartPolicy != "Always" || !pod.ShareProcesses {
			t.Errorf("%s %s: want topz as a sidecar that shares the processes", w.Kind, w.Metadata.Name)
		}
		if n := len(pod.Containers); n != 1 {
			t.Errorf("%s %s: has %d applications now", w.Kind, w.Metadata.Name, n)
		}
	}
}

// infra/docker/topz.yml does the same in compose: a topz for each container that goes on
// running, or for the pod that it is a part of.
func TestTheComposeFileTopzIsBesideEveryContainer(t *testing.T) {
	type service struct {
		Restart     string
		NetworkMode string `yaml:"network_mode"`
		PID         string
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		SecurityOpt []string `yaml:"security_opt"`
		Logging     struct{ Options map[string]string }
		Deploy      struct {
			Resources struct{ Limits struct{ CPUs, Memory string } }
		}
	}
	services := map[string]service{}
	for _, name := range []string{"docker-compose.yml", "infra/docker/topz.yml"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Services map[string]service }
		if err := yaml.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		for name, s := range file.Services {
			was := services[name]
			if s.PID != "" {
				was.PID = s.PID
			}
			if s.NetworkMode != "" {
				was.NetworkMode = s.NetworkMode
			}
			if s.Restart != "" {
				was = s
			}
			services[name] = was
		}
	}
	shown := map[string]bool{} // units that a topz is in
	for name, s := range services {
		if name == "topz" || strings.HasSuffix(name, "-topz") {
			if s.PID != s.NetworkMode {
				t.Errorf("%s: shares processes of %q and the network of %q", name, s.PID, s.NetworkMode)
			}
			shown[s.PID] = true
			limits := s.Deploy.Resources.Limits
			if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Logging.Options["max-size"] == "" || limits.CPUs == "" || limits.Memory == "" {
				t.Errorf("%s: may do more, or take more, than it needs: %+v", name, s)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		s := services[name]
		if s.Restart != "unless-stopped" || name == "topz" || strings.HasSuffix(name, "-topz") {
			continue
		}
		unit := "service:" + name
		if strings.HasPrefix(s.NetworkMode, "service:") { // a container of a pod
			unit = s.NetworkMode
			if s.PID != "" && s.PID != unit {
				t.Errorf("%s: is in the network of %s and among the processes of %s", name, unit, s.PID)
			}
		}
		if !shown[unit] {
			t.Errorf("%s: no topz is in %s", name, unit)
		}
	}
}
