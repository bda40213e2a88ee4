package experiments

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func a4() proof.Pattern {
	return proof.Pattern{ID: "A4", Title: "Experiments and request splitting", Page: "a4-experiment.md", Experiments: []proof.Experiment{
		{Name: "share", Question: "Of 100,000 users, how many are in an experiment of 10 %, who flips, and who moves when the share is doubled while it runs?", Run: split},
		{Name: "latency", Question: "What does the splitter add to a request, beside the way without it?", Run: added},
		{Name: "shadow", Question: "What do users notice of a shadow that is dead, hangs or is slow?", Run: shadows},
		{Name: "broken", Question: "What do users notice of an experiment that is dead or hangs, and how long until it is switched off?", Run: brokenArm},
	}}
}

// armed is a splitter before production and an experiment, which the origins stand for.
type armed struct {
	*rig.Proc
	rig  *rig.Rig
	file string
}

// splitter starts one with a file of experiments.
func splitter(ctx context.Context, g *rig.Rig, name, production, file string, env map[string]string, cpus ...int) (*armed, error) {
	a := &armed{rig: g, file: filepath.Join(g.Dir, name+".yaml")}
	if err := a.write(file); err != nil {
		return nil, err
	}
	full := map[string]string{"EXPERIMENT_PRODUCTION": production, "EXPERIMENT_CONFIG_FILE": a.file, "EXPERIMENT_COOKIE": "experiment"}
	for k, v := range env {
		full[k] = v
	}
	p, err := g.Service(ctx, "experiment", name, full, cpus...)
	a.Proc = p
	return a, err
}

// write replaces the file at once, as a sidecar does.
func (a *armed) write(text string) error {
	return atomicfile.Write(a.file, []byte(text), 0o644)
}

// next is a file with one experiment, and what else is to be said of it.
func next(percent, upstream string, more ...string) string {
	return "experiments:\n- {" + strings.Join(append([]string{"name: next", "percent: " + percent, "upstream: '" + upstream + "'"}, more...), ", ") + "}\n"
}

// mirror is a file with one shadow.
func mirror(upstream string, more ...string) string {
	return "shadows:\n- {" + strings.Join(append([]string{"name: mirror", "percent: 100", "upstream: '" + upstream + "'"}, more...), ", ") + "}\n"
}
