package wiring

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/ports"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// A Program is one of ours, as it describes itself.
type Program struct {
	process.Help
	Dir     string // folder of its module
	Command string // folder of its main package in the module's cmd
	Image   bool   // is built into an image; embedded backends are not, the real server stands there
	Size    int64  // bytes of its binary, as an image has it
}

// Catalogue is every program by name.
type Catalogue map[string]Program

// parts are the folders in which a module has programs of the fleet: the commands
// that have ports. One has the name of the module's folder; others are the
// applications that a sidecar, ambassador or adapter is shown with.
var parts = []struct {
	pattern string
	image   bool
}{
	{"services/*", true}, {"sidecars/*", true}, {"ambassadors/*", true}, {"adapters/*", true}, {"batch/*", true},
	{"infra/pki", true}, {"infra/backends/*", false},
}

// programs finds the folders of all programs below root.
func programs(root string) ([]Program, error) {
	var found []Program
	for _, part := range parts {
		dirs, err := filepath.Glob(filepath.Join(root, part.pattern))
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			mains, err := filepath.Glob(filepath.Join(dir, "cmd", "*", "main.go"))
			if err != nil {
				return nil, err
			}
			rel, err := filepath.Rel(root, dir)
			if err != nil {
				return nil, err
			}
			for _, main := range mains {
				command := filepath.Base(filepath.Dir(main))
				if _, listens := ports.All()[command]; listens || command == filepath.Base(dir) {
					found = append(found, Program{Dir: filepath.ToSlash(rel), Command: command, Image: part.image})
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b Program) int {
		return cmp.Or(strings.Compare(a.Dir, b.Dir), strings.Compare(a.Command, b.Command))
	})
	return found, nil
}

// Ask builds every program below root into bin and asks it for --help=json.
func Ask(ctx context.Context, root, bin string) (Catalogue, error) {
	found, err := programs(root)
	if err != nil {
		return nil, err
	}
	catalogue := Catalogue{}
	for _, p := range found {
		if err := p.ask(ctx, root, bin); err != nil {
			return nil, fmt.Errorf("%s/cmd/%s: %w", p.Dir, p.Command, err)
		}
		catalogue[p.Program] = p
	}
	return catalogue, nil
}

// Cross compiles every program that is built into an image for another platform,
// as images for it would be, and keeps nothing.
func Cross(ctx context.Context, root, goos, goarch string) error {
	found, err := programs(root)
	if err != nil {
		return err
	}
	args := []string{"build", "-tags", imageTags, "-o", os.DevNull}
	for _, p := range found {
		if p.Image {
			args = append(args, "./"+path.Join(p.Dir, "cmd", p.Command))
		}
	}
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, text)
	}
	return nil
}

// build compiles from the module's own folder: that works with a workspace and
// without.
func (p *Program) build(ctx context.Context, root, out string) error {
	build := exec.CommandContext(ctx, "go", "build", "-tags", imageTags, "-ldflags", imageLinking, "-o", out, "./cmd/"+p.Command)
	build.Dir = filepath.Join(root, p.Dir)
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, text)
	}
	return nil
}

func (p *Program) ask(ctx context.Context, root, bin string) error {
	out := filepath.Join(bin, p.Command)
	if err := p.build(ctx, root, out); err != nil {
		return err
	}
	binary, err := os.Stat(out)
	if err != nil {
		return err
	}
	p.Size = binary.Size()
	help := exec.CommandContext(ctx, out, "--help=json")
	help.Env = []string{} // what it says must not depend on where it is asked
	text, err := help.Output()
	if err != nil {
		return fmt.Errorf("--help=json: %w", err)
	}
	if err := json.Unmarshal(text, &p.Help); err != nil {
		return fmt.Errorf("--help=json: %w", err)
	}
	if p.Program != p.Command {
		return fmt.Errorf("--help=json calls the program %q, its folder %q", p.Program, p.Command)
	}
	return nil
}

// images are the programs that are built into images, by name.
func (c Catalogue) images() []Program {
	var all []Program
	for _, p := range c {
		if p.Image {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Program) int { return bytes.Compare([]byte(a.Program), []byte(b.Program)) })
	return all
}

// param finds a parameter, or the family that a variable belongs to.
func (p Program) param(name string) (config.Param, bool) {
	for _, param := range p.Params {
		family, isFamily := cutStar(param.Name)
		if param.Name == name || isFamily && len(name) > len(family) && name[:len(family)] == family {
			return param, true
		}
	}
	return config.Param{}, false
}

func cutStar(name string) (string, bool) {
	if name == "" || name[len(name)-1] != '*' {
		return name, false
	}
	return name[:len(name)-1], true
}

// value is what a process works with: what it is given, else its default.
func (p Program) value(given map[string]string, name string) string {
	if v, ok := given[name]; ok {
		return v
	}
	param, _ := p.param(name)
	return param.Default
}
