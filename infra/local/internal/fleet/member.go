package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/flotilla-dev/flotilla/infra/local/internal/logs"
	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
	"github.com/flotilla-dev/flotilla/infra/local/internal/supervise"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
)

// member is a replica of the fleet.
type member struct {
	*supervise.Process
	resolved topology.Process
	service  topology.Service
	log      *logs.File
	started  atomic.Bool
}

func (m *member) isStarted() bool { return m.started.Load() }

// member prepares the nth replica of a service.
func (f *Fleet) member(s topology.Service, n int) (*member, error) {
	p, err := f.context.Resolve(f.cfg.Table, s, n)
	if err != nil {
		return nil, err
	}
	private := filepath.Join(f.cfg.Dir, "data", p.Name)
	if err := os.MkdirAll(private, 0o700); err != nil {
		return nil, err
	}
	var observe func([]byte)
	if f.cfg.Observe != nil {
		observe = f.cfg.Observe(p.Name)
	}
	m := &member{resolved: p, service: s, log: logs.NewFile(filepath.Join(f.cfg.Dir, "logs"), p.Name, observe)}
	spec := supervise.Spec{
		Name: p.Name, Path: p.Program, Args: p.Args, Env: f.environ(p), Grace: p.Grace, Log: m.log,
		Probe: supervise.HTTP(p.Admin),
	}
	if p.Ping != "" {
		spec.Probe = supervise.Ping(p.Data, p.Ping, p.Pong)
	}
	for _, name := range p.Inherit {
		socket, known := f.public[name]
		if !known {
			return nil, fmt.Errorf("%s inherits a listener %s, which nobody opened", p.Name, name)
		}
		spec.Files = append(spec.Files, socket.File)
	}
	m.Process = supervise.New(spec, f.starter, f.touch)
	return m, nil
}

func (f *Fleet) environ(p topology.Process) []string {
	env := slices.Clone(f.cfg.Environ)
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		env = append(env, name+"="+p.Env[name])
	}
	return env
}

func (f *Fleet) start(m *member) {
	m.started.Store(true)
	f.lives.Go(m.Run)
}

// stop ends a replica and its log.
func (f *Fleet) stop(m *member) {
	m.Stop()
	_ = m.log.Close() // the log of what is gone
}

// awaitReady waits for a replica that was just started. Wrong configuration is
// not waited for: no restart mends it.
func (f *Fleet) awaitReady(ctx context.Context, m *member) error {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.ReadyTimeout)
	defer cancel()
	hopeless := false
	err := m.Await(ctx, func(s supervise.Status) bool {
		hopeless = s.State == supervise.Crashed && (s.ExitCode == 2 || s.Lives == 0)
		return hopeless || s.State == supervise.Ready
	})
	switch {
	case hopeless:
		return f.withLog(m, fmt.Errorf("%s does not start: %s", m.Name, m.Status().Reason))
	case errors.Is(err, context.DeadlineExceeded):
		return f.withLog(m, fmt.Errorf("%s is not ready after %s: %s", m.Name, f.cfg.ReadyTimeout, m.Status().Reason))
	}
	return err
}

// withLog adds the last lines that a replica wrote.
func (f *Fleet) withLog(m *member, err error) error {
	var last strings.Builder
	if _, failed := logs.Last(&last, filepath.Join(f.cfg.Dir, "logs"), []string{m.Name}, 12, logs.Style{}); failed != nil {
		return err // it wrote nothing
	}
	return fmt.Errorf("%w\n%s", err, strings.TrimRight(last.String(), "\n"))
}

// publish writes the endpoint file of a service.
func (f *Fleet) publish(service string) error {
	var lines []state.Process
	for _, m := range f.of(service) {
		lines = append(lines, state.Process{Instance: m.Name, Data: m.resolved.Data, Admin: m.resolved.Admin})
	}
	return state.Endpoints(f.cfg.Dir, service, lines)
}

func (f *Fleet) all() []*member {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.members)
}

// of returns the replicas of a service.
func (f *Fleet) of(service string) []*member {
	return slices.DeleteFunc(f.all(), func(m *member) bool { return m.service.Name != service })
}

// named returns the replica of that name, or all replicas of the service of
// that name.
func (f *Fleet) named(name string) ([]*member, error) {
	var found []*member
	var known []string
	for _, m := range f.all() {
		if m.Name == name || m.service.Name == name {
			found = append(found, m)
		}
		known = append(known, m.Name)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no %q; there are %s", name, join(known))
	}
	return found, nil
}

// one returns a single replica: a service of several is not enough said.
func (f *Fleet) one(name string) (*member, error) {
	found, err := f.named(name)
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		var names []string
		for _, m := range found {
			names = append(names, m.Name)
		}
		return nil, fmt.Errorf("%s has %d replicas; name one: %s", name, len(found), join(names))
	}
	return found[0], nil
}

func join(names []string) string { return strings.Join(names, ", ") }
