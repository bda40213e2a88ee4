package experiments

import (
	"context"
	"errors"
	"fmt"

	"github.com/flotilla-dev/flotilla/loadtest/cage"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func s5() proof.Pattern {
	return proof.Pattern{ID: "S5", Title: "Modular, reusable containers", Page: "s5-containers.md", Experiments: []proof.Experiment{
		{Name: "isolation", Question: "What does an application notice when a sidecar in its pod spins, or leaks memory?", Run: isolation},
		{Name: "footprint", Question: "What do the containers take that stand beside another one, while they have nothing to do, and how soon are they there?", Run: footprint},
	}}
}

// The limits are those of the manifests: an application that has a right to CPU, and
// a sidecar that has nearly none.
var (
	applicationLimits = cage.Limits{Request: 1, CPUs: 1, Memory: 192 << 20}
	sidecarLimits     = cage.Limits{Request: 0.01, CPUs: 0.5, Memory: 64 << 20}
)

// isolation loads an application in a control group of its own, beside a sidecar that
// behaves, one that spins and one that leaks, and, to show what the limits are for, one
// that spins with its small share of the CPU alone, and one without any limit.
func isolation(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "dictionary", "hog"); err != nil {
		return err
	}
	app, err := cage.New("flotilla-proof-application", applicationLimits)
	if err != nil {
		return unavailable(err)
	}
	defer app.Remove()
	dictionary, err := cagedDictionary(ctx, g, app)
	if err != nil {
		return err
	}
	defer dictionary.Kill()
	p := &hogs{g: g, r: r, target: openloop.Target{URL: "http://" + dictionary.Data}}
	out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
		duel.Side{Name: "a sidecar that behaves", Round: p.beside("", sidecarLimits)},
		duel.Side{Name: "one that spins", Round: p.beside("spin", sidecarLimits)},
		duel.Side{Name: "one that leaks", Round: p.beside("leak", sidecarLimits)},
		duel.Side{Name: "one that spins, held by its share alone", Round: p.beside("spin", cage.Limits{Request: sidecarLimits.Request})},
		duel.Side{Name: "one that spins without limits", Round: p.beside("spin", cage.Limits{Request: 1})})
	if err != nil {
		return err
	}
	quiet := out[0].P99()
	for _, side := range out[1:3] {
		r.Claim(proof.AtMost("p99 of the application beside "+side.Name+", times that beside one that behaves", float64(side.P99())/float64(quiet), 1.2, "×"))
	}
	for _, side := range out[3:] {
		r.Measured("p99 beside "+side.Name+", times that beside one that behaves", float64(side.P99())/float64(quiet), "×")
	}
	r.Claim(proof.AtLeast("times the sidecar that spins was throttled", float64(p.throttled), 1, ""))
	r.Claim(proof.Exactly("leaking sidecars that the kernel ended", p.killed, p.leaks, fmt.Sprintf("of %d", p.leaks)))
	killed, err := app.Killed()
	if err != nil {
		return err
	}
	r.Claim(proof.Exactly("applications that it ended", killed, 0, ""))
	r.Claim(proof.That("the application is the process that it was", "true", fmt.Sprint(!dictionary.Ended()), !dictionary.Ended()))
	r.Table(duelTable("200 requests/s; a round of which any request failed would be void", out))
	r.Note("The application's group has the shares of 1 CPU, of which it gets at most 1; the sidecar's those of 0.01 CPU, at most 0.5, and 64 MiB. Without limits it has the shares of 1 CPU too.")
	return nil
}

func unavailable(err error) error {
	if errors.Is(err, cage.ErrUnavailable) {
		return proof.Missing{What: err.Error()}
	}
	return err
}

func cagedDictionary(ctx context.Context, g *rig.Rig, c *cage.Cage) (*rig.Proc, error) {
	data, err := g.DictionaryData()
	if err != nil {
		return nil, err
	}
	return g.Wrapped(ctx, c.Command, "dictionary", "dictionary-1", map[string]string{"DICTIONARY_DATA_URL": data})
}

// hogs counts what became of the sidecars.
type hogs struct {
	g                        *rig.Rig
	r                        *proof.Report
	target                   openloop.Target
	started                  int
	throttled, killed, leaks int
}

// beside is a round of load while a sidecar does what it is told.
func (p *hogs) beside(what string, l cage.Limits) func(context.Context) (duel.Sample, error) {
	load := asked(p.r, p.target)
	return func(ctx context.Context) (duel.Sample, error) {
		if what == "" {
			return load(ctx)
		}
		p.started++
		c, err := cage.New(fmt.Sprintf("flotilla-proof-sidecar-%d", p.started), l)
		if err != nil {
			return duel.Sample{}, unavailable(err)
		}
		defer c.Remove()
		path, args := c.Command(p.g.Bin("hog"), what)
		hog, err := p.g.Start(ctx, rig.Spec{Name: fmt.Sprintf("hog-%d", p.started), Path: path, Args: args})
		if err != nil {
			return duel.Sample{}, err
		}
		defer hog.Kill()
		sample, err := load(ctx)
		if err != nil {
			return sample, err
		}
		return sample, p.count(c, what, hog)
	}
}

func (p *hogs) count(c *cage.Cage, what string, hog *rig.Proc) error {
	throttled, err := c.Throttled()
	if err != nil {
		return err
	}
	p.throttled += throttled
	if what == "leak" {
		p.leaks++
		killed, err := c.Killed()
		if err != nil {
			return err
		}
		if killed > 0 && hog.Ended() {
			p.killed++
		}
	}
	return nil
}
