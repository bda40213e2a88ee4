// Package fleet runs a fleet: it builds the programs, starts the processes in
// the order in which they need each other, and carries out what the command
// line asks for until the fleet goes down.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/build"
	"github.com/flotilla-dev/flotilla/infra/local/internal/proc"
	"github.com/flotilla-dev/flotilla/infra/local/internal/sockets"
	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
	"github.com/flotilla-dev/flotilla/infra/local/internal/supervise"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
)

// Config says what to run, and where.
type Config struct {
	Table   []topology.Service
	Root    string // of the tree
	Dir     string // of the fleet's state
	Host    string // to listen on
	Public  []PublicPort
	URLs    func(ports map[string]int) map[string]string
	CA      string                                  // file that verifies the URLs
	Common  map[string]string                       // variables of all services, below the table
	Real    bool                                    // use real backends where installed
	Set     map[string]map[string]string            // service → variable → value, above the table
	Environ []string                                // of every process
	Prepare func(ctx context.Context) error         // makes certificates and secrets, after the build
	Built   build.Report                            // progress of the build
	Say     func(text string)                       // tells people what happens
	Observe func(instance string) func(line []byte) // sees what processes write; may be nil
	Hurry   <-chan struct{}                         // closed when stopping is to wait for nobody; may be nil
	OnReady func(state.Fleet)                       // called once

	// ReadyTimeout is how long a service may take to become ready.
	ReadyTimeout time.Duration
	// Settle is the pause of a rolling restart after a replica is ready again,
	// in which its callers find that out.
	Settle time.Duration
}

// PublicPort is a listener that the runner opens.
type PublicPort struct {
	Name      string
	Port      int  // 0: a free one
	Datagrams bool // the UDP port of that number must be free too
	Flag      string
}

// Fleet is a running fleet. See Run.
type Fleet struct {
	cfg      Config
	context  topology.Context
	public   map[string]*sockets.Public
	starter  *supervise.Starter
	identity state.Identity
	started  time.Time
	dirty    chan struct{} // capacity 1: fleet.json is to be written
	turn     chan struct{} // capacity 1: held by whoever changes the set of processes
	goDown   chan struct{} // closed by Down
	ending   chan struct{} // closed when the fleet begins to stop
	downed   chan struct{} // closed when all processes have ended
	lives    sync.WaitGroup

	mu        sync.Mutex // guards all below
	phase     string
	members   []*member
	listeners map[int]func(string) // of Say
	nextID    int
	wentDown  bool
	buildTime time.Duration
	readyTime time.Duration
}

// Run runs a fleet until ctx ends or Down is called. It returns state.ErrRunning
// when there is a runner for the directory already.
func Run(ctx context.Context, cfg Config) (err error) {
	if err := topology.Validate(cfg.Table); err != nil {
		return err
	}
	for _, dir := range []string{cfg.Dir, filepath.Join(cfg.Dir, "logs"), filepath.Join(cfg.Dir, "data")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	unlock, err := state.Lock(cfg.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	cleaned, err := state.Clean(cfg.Dir)
	if err != nil {
		return err
	}
	for _, what := range cleaned {
		cfg.Say("ended what a killed runner had left: " + what)
	}
	f, err := open(cfg)
	if err != nil {
		return err
	}
	defer f.close()
	stopServing, err := f.serve()
	if err != nil {
		return err
	}
	defer stopServing()
	return f.run(ctx)
}

// open takes the public ports first: that one is taken is to be known before
// minutes of building.
func open(cfg Config) (*Fleet, error) {
	start, err := proc.Start(os.Getpid())
	if err != nil {
		return nil, err
	}
	f := &Fleet{
		cfg: cfg, public: map[string]*sockets.Public{}, identity: state.Identity{PID: os.Getpid(), Start: start},
		started: time.Now(), dirty: make(chan struct{}, 1), turn: make(chan struct{}, 1), goDown: make(chan struct{}), downed: make(chan struct{}), ending: make(chan struct{}),
		listeners: map[int]func(string){}, phase: "building",
	}
	ports := map[string]int{}
	for _, p := range cfg.Public {
		socket, err := sockets.Open(p.Name, cfg.Host, p.Port, p.Datagrams)
		if err != nil {
			f.closePublic()
			return nil, publicError(p, err)
		}
		f.public[p.Name] = socket
		ports[p.Name] = socket.Port
	}
	free, err := sockets.OpenPorts(cfg.Host, filepath.Join(cfg.Dir, "ports.json"))
	if err != nil {
		f.closePublic()
		return nil, err
	}
	f.context = topology.Context{
		Root: cfg.Root, Dir: cfg.Dir, Host: cfg.Host, Pair: free.Pair, Public: ports,
		Common: cfg.Common, Real: cfg.Real, Set: cfg.Set, Present: topology.InPath,
	}
	f.starter = supervise.NewStarter()
	return f, nil
}

func publicError(p PublicPort, err error) error {
	var taken *sockets.TakenError
	if errors.As(err, &taken) {
		return fmt.Errorf("%w; stop that, or choose another port with --%s (0: a free one)", err, p.Flag)
	}
	return err
}

func (f *Fleet) close() {
	f.closePublic()
	f.starter.Close()
}

func (f *Fleet) closePublic() {
	for _, p := range f.public {
		_ = p.File.Close()
	}
}

// run is the life of the fleet.
func (f *Fleet) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // Down ends a start that is under way, too
		select {
		case <-f.goDown:
			cancel()
		case <-ctx.Done():
		}
		select {
		case <-f.cfg.Hurry:
			f.Down(true)
		case <-f.downed:
		}
	}()
	saved := f.save()
	err := f.up(ctx)
	if err == nil {
		f.cfg.OnReady(f.Snapshot())
		<-ctx.Done()
	}
	close(f.ending)
	f.turn <- struct{}{} // when a restart or a scaling that was under way has given up
	f.stopAll()
	saved()
	if removed := state.Remove(f.cfg.Dir); err == nil {
		err = removed
	}
	if errors.Is(err, context.Canceled) {
		return nil // somebody wanted it
	}
	return err
}

// Down makes the fleet go down. With now set, processes are not given the time
// to finish what they do; that also hurries a fleet that is going down already.
func (f *Fleet) Down(now bool) {
	f.mu.Lock()
	first := !f.wentDown
	f.wentDown = true
	members := slices.Clone(f.members)
	f.mu.Unlock()
	if now {
		for _, m := range members {
			_ = m.End() // that it has ended is what is wanted
		}
	}
	if first {
		close(f.goDown)
	}
}
