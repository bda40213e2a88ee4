package wiring

import (
	"path/filepath"
	"slices"
	"testing"
)

// The component moves the record of owners from etcd to Leases, and nothing else.
func TestTheComponentLeasesIsAskedForByOwnership(t *testing.T) {
	dir := filepath.Join(copyOfWirings(t), "infra", "kubernetes", "overlays", "local")
	mutate(t, filepath.Join(dir, "kustomization.yaml"), "components:\n", "components:\n- ../../components/leases\n")
	m, err := render(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for _, w := range m.workloads {
		for _, c := range w.template().Spec.Containers {
			i := slices.IndexFunc(c.Env, func(e struct {
				Name, Value string
				ValueFrom   map[string]any `yaml:"valueFrom"`
			}) bool {
				return e.Name == "OWNERSHIP_STORE_KIND" && e.Value == "kubernetes"
			})
			if (i >= 0) != (c.Name == "ownership") {
				t.Errorf("%s keeps owners in Leases: %v", c.Name, i >= 0)
			}
			seen = seen || i >= 0
		}
	}
	if !seen {
		t.Error("nobody keeps owners in Leases")
	}
}
