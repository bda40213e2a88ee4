package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/flotilla-dev/flotilla/infra/local/internal/control"
	"github.com/flotilla-dev/flotilla/infra/local/internal/logs"
	"github.com/flotilla-dev/flotilla/infra/local/internal/sockets"
	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
)

// downCommand stops the fleet.
type downCommand struct {
	Now bool `help:"Kill the processes: do not wait for requests in flight."`
}

func (c *downCommand) Run(ctx context.Context, s session) error {
	err := s.client().Do(ctx, "down", control.Request{Now: c.Now}, s.say)
	if err == nil {
		// Its processes have ended, and the runner is about to. Only then can the
		// next `up` or `down` have the directory.
		if err := state.AwaitEnd(ctx, s.dir); err != nil {
			return err
		}
		s.say("the fleet is down")
		return nil
	}
	if !errors.Is(err, control.ErrDown) {
		return err
	}
	return sweep(s)
}

// sweep cleans up after a runner that was killed.
func sweep(s session) error {
	if _, err := os.Stat(s.dir); errors.Is(err, os.ErrNotExist) {
		s.say("nothing is running")
		return nil
	}
	unlock, err := state.Lock(s.dir)
	if err != nil { // it starts or ends at this moment
		return err
	}
	defer unlock()
	cleaned, err := state.Clean(s.dir)
	if err != nil {
		return err
	}
	for _, what := range cleaned {
		s.say("ended what a killed runner had left: " + what)
	}
	if len(cleaned) == 0 {
		s.say("nothing is running")
	}
	return nil
}

// statusCommand shows the fleet.
type statusCommand struct {
	JSON bool `help:"As JSON."`
}

func (c *statusCommand) Run(ctx context.Context, s session) error {
	f, err := s.client().Fleet(ctx)
	if errors.Is(err, control.ErrDown) {
		f = state.Fleet{State: "down", Processes: []state.Process{}}
		if c.JSON {
			if err := show(s.out, f, true, false); err != nil {
				return err
			}
		} else {
			s.say("nothing is running; `up` starts the fleet")
		}
		return exit(exitDown)
	}
	if err != nil {
		return err
	}
	return show(s.out, f, c.JSON, false)
}

// logsCommand shows what processes wrote.
type logsCommand struct {
	Names  []string `arg:"" optional:"" help:"Replicas or services; all when none is named."`
	Follow bool     `short:"f" help:"Go on with what is written from now on."`
	Lines  int      `short:"n" default:"20" help:"How many lines of each replica to begin with."`
	Raw    bool     `help:"As they were written, without names in front."`
}

func (c *logsCommand) Run(ctx context.Context, s session) error {
	dir := filepath.Join(s.dir, "logs")
	names, err := logs.Names(dir)
	if err != nil {
		return err
	}
	if names, err = logs.Select(names, c.Names); err != nil {
		return err
	}
	how := style(s.out)
	how.Raw = c.Raw
	offsets, err := logs.Last(s.out, dir, names, max(c.Lines, 0), how)
	if err != nil || !c.Follow {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return logs.Follow(ctx, s.out, dir, offsets, how)
}

// killCommand sends a signal.
type killCommand struct {
	Name   string `arg:"" help:"Replica, as in dictionary-2."`
	Signal string `short:"s" default:"KILL" help:"KILL, TERM, INT, QUIT, HUP, ABRT, USR1 or USR2."`
}

func (c *killCommand) Run(ctx context.Context, s session) error {
	return s.client().Do(ctx, "kill", control.Request{Name: c.Name, Signal: c.Signal}, s.say)
}

// nameCommand is pause, resume or restart.
type nameCommand struct {
	Name string `arg:"" help:"Replica, as in dictionary-2; restart takes a service too."`
}

func (c *nameCommand) Run(ctx context.Context, s session) error {
	return s.client().Do(ctx, s.command, control.Request{Name: c.Name}, s.say)
}

// scaleCommand changes the number of replicas.
type scaleCommand struct {
	Service string `arg:"" help:"Service, as in dictionary."`
	Count   int    `arg:"" help:"Replicas."`
}

func (c *scaleCommand) Run(ctx context.Context, s session) error {
	return s.client().Do(ctx, "scale", control.Request{Name: c.Service, Count: c.Count}, s.say)
}

// topologyCommand shows the table, resolved.
type topologyCommand struct {
	sizes
	JSON bool `help:"As JSON."`
}

// Resolved is what `topology --json` prints.
type Resolved struct {
	Services  []service          `json:"services"`
	Processes []topology.Process `json:"processes"`
}

type service struct {
	Name    string   `json:"name"`
	Pod     string   `json:"pod,omitempty"` // whose pod it shares
	Package string   `json:"package"`
	Count   int      `json:"count"`
	Single  bool     `json:"single,omitempty"`
	Needs   []string `json:"needs,omitempty"`
}

func (c *topologyCommand) Run(s session) error {
	var err error
	if s.table, err = c.of(s.table); err != nil {
		return usageError{err}
	}
	r, err := resolve(s)
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	return showTopology(s.out, r)
}

// resolve resolves the table as up would do. The ports are those of the last
// fleet, or, where there was none, examples.
func resolve(s session) (Resolved, error) {
	ports, err := sockets.Remembered(filepath.Join(s.dir, "ports.json"))
	if err != nil {
		return Resolved{}, err
	}
	resolver := topology.Context{
		Root: s.root, Dir: s.dir, Host: "127.0.0.1", Pair: ports, Common: s.common,
		Public: map[string]int{"https": 8443, "http": 8080}, Present: topology.InPath,
	}
	var r Resolved
	for _, row := range s.table {
		r.Services = append(r.Services, service{row.Name, row.Pod, row.Package, row.Count, row.Single, row.Needs})
		for n := 1; n <= row.Count; n++ {
			p, err := resolver.Resolve(s.table, row, n)
			if err != nil {
				return Resolved{}, err
			}
			r.Processes = append(r.Processes, p)
		}
	}
	return r, topology.Validate(s.table)
}
