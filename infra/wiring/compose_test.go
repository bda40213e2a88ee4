package wiring

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// readCompose reads the compose file as a clean clone gets it.
func readCompose(t *testing.T) (c composeFile, networks map[string]composeNetwork) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, composeFileName))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		composeFile `yaml:",inline"`
		Networks    map[string]composeNetwork
	}
	if err := yaml.Unmarshal([]byte(interpolate(string(text))), &file); err != nil {
		t.Fatal(err)
	}
	return file.composeFile, file.Networks
}

type composeNetwork struct {
	IPAM struct{ Config []struct{ Subnet string } }
}

// A volume that is mounted where the image has nothing belongs to root, and the first who
// mounts it is pki: the image has a folder for each.
func TestEveryVolumeHasAnOwner(t *testing.T) {
	c, _ := readCompose(t)
	text, err := os.ReadFile(filepath.Join(root, "infra", "docker", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	stages, err := Stages(string(text))
	if err != nil {
		t.Fatal(err)
	}
	body, _, found := lineage(stages, "pki-files")
	if !found || len(c.Services["pki"].Volumes) == 0 {
		t.Fatal("there is no stage pki-files, or pki mounts nothing")
	}
	for _, v := range c.Services["pki"].Volumes {
		_, folder, _ := strings.Cut(v, ":")
		made := false
		for _, i := range body {
			made = made || strings.HasSuffix(i, "--chown=65532:65532 /empty "+folder)
		}
		if !made {
			t.Errorf("%s: pki-files has no folder %s, so it would belong to root", v, folder)
		}
	}
}

// An engine's own address pools are enough for 31 networks, of which it has one itself.
func TestEveryNetworkHasASubnetOfItsOwn(t *testing.T) {
	_, networks := readCompose(t)
	seen := map[string]string{}
	for name, n := range networks {
		if len(n.IPAM.Config) != 1 || !regexp.MustCompile(`^10\.201\.[0-9]+\.0/24$`).MatchString(n.IPAM.Config[0].Subnet) {
			t.Errorf("%s: want one subnet, FLOTILLA_NETWORK and a number, and not %v", name, n.IPAM.Config)
			continue
		}
		subnet := n.IPAM.Config[0].Subnet
		if other := seen[subnet]; other != "" {
			t.Errorf("%s and %s both have %s", name, other, subnet)
		}
		seen[subnet] = name
	}
	if len(seen) == 0 {
		t.Error("there is no network")
	}
}
