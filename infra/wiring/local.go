package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// table is what `go run ./infra/local topology --json` prints.
type table struct {
	Services []struct {
		Name, Pod, Package string
		Count              int
		Needs              []string
	}
	Processes []struct {
		Service, Name string
		Data, Admin   string // addresses
		Env           map[string]string
		Ports         []Port
	}
}

// Local asks the local runner, built into bin, for its table. Replicas of a
// service are one Process; it has the variables of the first. The flags choose what
// there is to choose.
func Local(ctx context.Context, root, bin string, flags ...string) (Fleet, error) {
	runner := filepath.Join(bin, "local-runner")
	build := exec.CommandContext(ctx, "go", "build", "-o", runner, ".")
	build.Dir = filepath.Join(root, "infra", "local")
	if text, err := build.CombinedOutput(); err != nil {
		return Fleet{}, fmt.Errorf("build infra/local: %w\n%s", err, text)
	}
	ask := exec.CommandContext(ctx, runner, append([]string{"topology", "--json"}, flags...)...)
	ask.Dir = root
	text, err := ask.Output()
	if err != nil {
		return Fleet{}, fmt.Errorf("local topology: %w", err)
	}
	var t table
	if err := json.Unmarshal(text, &t); err != nil {
		return Fleet{}, fmt.Errorf("local topology: %w", err)
	}
	return t.fleet(strings.Join(append([]string{"local"}, flags...), " "))
}

func (t table) fleet(wiring string) (Fleet, error) {
	fleet := Fleet{Wiring: wiring}
	for _, s := range t.Services {
		p := Process{Name: s.Name, Pod: s.Pod, Program: filepath.Base(s.Package), Waits: s.Needs, Env: map[string]string{}, Files: map[string]string{}}
		for _, one := range t.Processes {
			if one.Service != s.Name {
				continue
			}
			p.Replicas++
			if p.Replicas > 1 {
				continue
			}
			p.Ports = one.Ports
			if one.Admin != "" { // the runner asks there whether it is ready
				p.Probes.Ready = "admin/readyz"
			}
			known := t.addressesOfOthers(s.Name)
			for name, value := range one.Env {
				p.Env[name] = known.Replace(value)
			}
		}
		if err := p.readFiles(); err != nil {
			return Fleet{}, err
		}
		fleet.Processes = append(fleet.Processes, p)
	}
	return fleet, nil
}

// addressesOfOthers turns the addresses of other services, as in
// http://127.0.0.1:20000/…, into what the other wirings write:
// http://content:20000/…. All replicas of a service are meant by the port of the first.
func (t table) addressesOfOthers(service string) *strings.Replacer {
	var pairs []string
	first := map[string]string{}
	for _, p := range t.Processes {
		_, port, err := net.SplitHostPort(p.Data)
		if err != nil || p.Service == service {
			continue
		}
		if first[p.Service] == "" {
			first[p.Service] = port
		}
		pairs = append(pairs, p.Data, p.Service+":"+first[p.Service])
	}
	return strings.NewReplacer(pairs...)
}

// readFiles reads the configuration files that variables name. One that is not there is a
// key, or written by the fleet itself; {{file}} in the table finds what is in the tree.
func (p Process) readFiles() error {
	for _, value := range p.Env {
		if !filepath.IsAbs(value) || filepath.Ext(value) != ".yaml" {
			continue
		}
		content, err := os.ReadFile(value)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("local: %s: %w", p.Name, err)
		}
		p.Files[value] = string(content)
	}
	return nil
}
