package wiring

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

// A script of loadtest leaves out what it is not told the address of: with compose it is told
// every one, and can reach it.
func TestLoadIsToldWhatItsScriptsAskFor(t *testing.T) {
	c, _ := readCompose(t)
	k6 := c.Services["k6"]
	scripts, err := filepath.Glob(filepath.Join(root, "loadtest", "*.js"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`__ENV\.([A-Z_]+_URL)\b`).FindAllStringSubmatch(string(text), -1) {
			address := regexp.MustCompile(`^http://([a-z0-9-]+):([0-9]+)$`).FindStringSubmatch(k6.Environment[m[1]])
			if address == nil {
				t.Errorf("%s asks for %s, which k6 of compose has as %q: want http://service:port", filepath.Base(script), m[1], k6.Environment[m[1]])
				continue
			}
			target := c.Services[address[1]]
			if pod, inside := strings.CutPrefix(target.NetworkMode, "service:"); inside {
				target = c.Services[pod] // its ports and networks are those of the pod
			}
			if !target.listens(address[2]) {
				t.Errorf("%s=%s: there is no service %s that listens there", m[1], address[0], address[1])
			}
			if !slices.ContainsFunc(target.Networks, func(network string) bool { return slices.Contains(k6.Networks, network) }) {
				t.Errorf("%s=%s: k6 shares no network with %s", m[1], address[0], address[1])
			}
		}
	}
}

// listens tells whether a service publishes or exposes a port.
func (s composeService) listens(port string) bool {
	return slices.Contains(s.Expose, port) || slices.ContainsFunc(s.Ports, func(p composePort) bool { return strconv.Itoa(p.Target) == port })
}
