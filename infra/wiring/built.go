package wiring

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// metadata is what an engine tells of an image.
type metadata struct {
	User         string
	ExposedPorts map[string]struct{}
	Env          []string
	Labels       map[string]string
	Entrypoint   []string
	Healthcheck  struct{ Test []string }
}

// CheckBuilt compares the images of an engine with what the programs say of
// themselves. The pattern makes the name of an image from that of its program:
// "flotilla/%s:dev".
func CheckBuilt(ctx context.Context, root, pattern string, catalogue Catalogue) ([]Finding, error) {
	dockerfile, err := os.ReadFile(filepath.Join(root, "infra", "docker", "Dockerfile"))
	if err != nil {
		return nil, err
	}
	stages, err := Stages(string(dockerfile))
	if err != nil {
		return nil, err
	}
	var all []Finding
	for _, p := range catalogue.images() {
		image := fmt.Sprintf(pattern, p.Program)
		text, err := exec.CommandContext(ctx, "docker", "image", "inspect", "--format", "{{json .Config}}", image).Output()
		if err != nil {
			return nil, fmt.Errorf("inspect %s: %w", image, err)
		}
		var m metadata
		if err := json.Unmarshal(text, &m); err != nil {
			return nil, fmt.Errorf("inspect %s: %w", image, err)
		}
		f := &findings{wiring: "image " + image, process: p.Program}
		m.check(p, stages, f)
		all = append(all, f.all...)
	}
	return all, nil
}

func (m metadata) check(p Program, stages []Stage, f *findings) {
	var ports []string
	for _, port := range p.Ports {
		ports = append(ports, fmt.Sprintf("%d/%s", port.Number, port.Protocol))
	}
	slices.Sort(ports)
	if got := slices.Sorted(maps.Keys(m.ExposedPorts)); !slices.Equal(got, ports) {
		f.add(fmt.Sprint(ports), "it exposes %v", got)
	}
	if m.User != "65532" && m.User != "65532:65532" && m.User != "nonroot:nonroot" {
		f.add("65532:65532", "it runs as %q", m.User)
	}
	if want := []string{"/" + p.Program}; !slices.Equal(m.Entrypoint, want) {
		f.add(fmt.Sprint(want), "its entry point is %v", m.Entrypoint)
	}
	if want := []string{"CMD", "/" + p.Program, "--healthcheck"}; len(p.Ports) > 0 && !slices.Equal(m.Healthcheck.Test, want) {
		f.add(fmt.Sprint(want), "its health check is %v", m.Healthcheck.Test)
	}
	m.checkEnv(p, stages, f)
	m.checkHelp(p, f)
}

// checkEnv: every default is in the image, or a value that the Dockerfile gives
// this image by hand.
func (m metadata) checkEnv(p Program, stages []Stage, f *findings) {
	env := map[string]string{}
	for _, one := range m.Env {
		name, value, _ := strings.Cut(one, "=")
		env[name] = value
	}
	body, _, _ := lineage(stages, p.Program+"-files")
	for name, value := range pairs(body, "ENV") {
		if env[name] != value {
			f.add(name+"="+value, "%s is %q in the image", name, env[name])
		}
	}
	for _, v := range variables(p, pairs(body, "ENV")) {
		if v.Set && env[v.Name] != v.Default {
			f.add(v.Name+"="+v.Default, "%s is %q in the image", v.Name, env[v.Name])
		}
	}
}

func (m metadata) checkHelp(p Program, f *findings) {
	var says, right any
	want, err := json.Marshal(p.Help)
	if err == nil {
		err = json.Unmarshal(want, &right)
	}
	if err != nil || json.Unmarshal([]byte(m.Labels[HelpLabel]), &says) != nil || !reflect.DeepEqual(says, right) {
		f.add("build it again", "its label %s is not what --help=json prints", HelpLabel)
	}
	for _, label := range []string{"title", "description", "licenses", "source", "version", "documentation"} {
		if name := "org.opencontainers.image." + label; m.Labels[name] == "" {
			f.add("set it", "the label %s is missing", name)
		}
	}
}
