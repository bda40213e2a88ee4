package wiring

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/flotilla-dev/flotilla/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "../.."

// once asks the programs once for all tests.
var once struct {
	sync.Once
	catalogue Catalogue
	local     Fleet
	three     Fleet // local, with three members of etcd
	err       error
}

func catalogue(t *testing.T) Catalogue {
	t.Helper()
	once.Do(func() {
		var bin string
		if bin, once.err = os.MkdirTemp("", "programs-"); once.err != nil {
			return
		}
		defer os.RemoveAll(bin)
		if once.catalogue, once.err = Ask(t.Context(), root, bin); once.err == nil {
			once.local, once.err = Local(t.Context(), root, bin)
		}
		if once.err == nil {
			once.three, once.err = Local(t.Context(), root, bin, "--etcd-members", "3")
		}
	})
	if once.err != nil {
		t.Fatal(once.err)
	}
	return once.catalogue
}

// fleets reads all wirings, compose first.
func fleets(t *testing.T) []Fleet {
	t.Helper()
	_ = catalogue(t)
	return append(read(t, root), once.local)
}

// read reads the wirings that are files below a folder.
func read(t *testing.T, dir string) []Fleet {
	t.Helper()
	compose, err := Compose(filepath.Join(dir, "docker-compose.yml"), catalogue(t))
	if err != nil {
		t.Fatal(err)
	}
	all := []Fleet{compose}
	overlays, err := Overlays(filepath.Join(dir, "infra", "kubernetes"))
	if err != nil || len(overlays) == 0 {
		t.Fatalf("no overlays: %v", err)
	}
	for _, overlay := range overlays {
		fleet, err := Manifests(overlay, catalogue(t))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fleet)
	}
	return all
}

func TestAllWiringsDescribeTheSameFleet(t *testing.T) {
	for _, f := range Check(catalogue(t), fleets(t)...) {
		t.Error(f)
	}
}

func TestDockerfileSaysWhatTheProgramsSay(t *testing.T) {
	path := filepath.Join(root, "infra", "docker", "Dockerfile")
	is, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	right, err := Generate(string(is), catalogue(t))
	if err != nil {
		t.Fatal(err)
	}
	if string(is) == right {
		return
	}
	now, then := strings.Split(string(is), "\n"), strings.Split(right, "\n")
	for i := range min(len(now), len(then)) {
		if now[i] != then[i] {
			t.Fatalf("line %d is\n  %s\nright would be\n  %s\nrun: go generate ./infra/wiring", i+1, now[i], then[i])
		}
	}
	t.Fatal("stages are missing or too many; run: go generate ./infra/wiring")
}

func TestImagesAreSmall(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "infra", "docker", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range checkSizes(string(text), catalogue(t)) {
		t.Error(f)
	}
	large := Catalogue{"whale": {Help: process.Help{Program: "whale"}, Image: true, Size: largestBinary + 1}}
	if found := checkSizes("RUN go build", large); len(found) != 3 {
		t.Errorf("of three mistakes are found: %v", found)
	}
}

// Compose builds what it runs: every image of ours is a stage.
// Figures that are told of the local fleet and of the proofs are those of images.
func TestEverybodyBuildsWithTheTagsOfImages(t *testing.T) {
	for _, name := range []string{"infra/local/internal/build/build.go", "loadtest/rig/rig.go"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"-tags", "`+imageTags+`"`) {
			t.Errorf("%s: builds without -tags %s", name, imageTags)
		}
	}
}

func TestEveryProgramHasAStageAndAService(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "infra", "docker", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	stages, err := Stages(string(text))
	if err != nil {
		t.Fatal(err)
	}
	compose := fleets(t)[0]
	for _, p := range catalogue(t).images() {
		if !slices.ContainsFunc(stages, func(s Stage) bool { return s.Name == p.Program }) {
			t.Errorf("infra/docker/Dockerfile: there is no stage %s", p.Program)
		}
		if !slices.ContainsFunc(compose.Processes, func(service Process) bool { return service.Program == p.Program }) {
			t.Errorf("docker-compose.yml: there is no service that runs %s", p.Program)
		}
	}
}

// Without a line in the table a program would listen on a port of chance.
func TestEveryProgramHasDefaultPorts(t *testing.T) {
	for name, p := range catalogue(t) {
		for _, port := range p.Ports {
			if port.Number == 0 {
				t.Errorf("internal/ports: %s has no %s port", name, port.Name)
			}
		}
	}
}

func TestEveryProgramCompilesForArm64(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short: that all programs compile for arm64 was not checked")
	}
	if err := Cross(t.Context(), root, "linux", "arm64"); err != nil {
		t.Error(err)
	}
}
