package fleet

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/build"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
)

// up builds and starts everything.
func (f *Fleet) up(ctx context.Context) error {
	f.touch()
	built, err := build.Programs(ctx, f.cfg.Root, filepath.Join(f.cfg.Dir, "bin"), topology.Packages(f.cfg.Table), f.cfg.Built)
	if err != nil {
		return err
	}
	f.say(fmt.Sprintf("%-12s %d programs in %s", "built", len(topology.Packages(f.cfg.Table)), seconds(built)))
	begin := time.Now()
	f.set(func() { f.phase, f.buildTime = "starting", built })
	if err := f.cfg.Prepare(ctx); err != nil {
		return err
	}
	for _, note := range f.context.Substitutes(f.cfg.Table) {
		f.say(note)
	}
	levels, err := topology.Levels(f.cfg.Table)
	if err != nil {
		return err
	}
	if err := f.resolve(); err != nil {
		return err
	}
	for _, level := range levels {
		if err := f.startLevel(ctx, level); err != nil {
			return err
		}
	}
	f.set(func() { f.phase, f.readyTime = "ready", time.Since(begin) })
	return nil
}

// resolve names all replicas and writes all endpoint files, so that every
// program finds the ones it is given when it starts.
func (f *Fleet) resolve() error {
	for _, s := range f.cfg.Table {
		for n := 1; n <= s.Count; n++ {
			m, err := f.member(s, n)
			if err != nil {
				return err
			}
			f.set(func() { f.members = append(f.members, m) })
		}
	}
	for _, s := range f.cfg.Table {
		if err := f.publish(s.Name); err != nil {
			return err
		}
	}
	return nil
}

// startLevel starts services that need nothing of each other side by side.
func (f *Fleet) startLevel(ctx context.Context, level []topology.Service) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now()
	results := make(chan error, len(f.cfg.Table)*100)
	waiting := 0
	for _, s := range level {
		for _, m := range f.of(s.Name) {
			f.start(m)
			waiting++
			go func() { results <- f.awaitReady(ctx, m) }()
		}
	}
	for range waiting {
		if err := <-results; err != nil {
			return err
		}
	}
	for _, s := range level {
		f.say(fmt.Sprintf("%-12s ready  %d × in %s", s.Name, len(f.of(s.Name)), seconds(time.Since(begin))))
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// stopAll stops the services that the public reaches first. From then on no
// request can come, and the rest goes at once.
func (f *Fleet) stopAll() {
	f.set(func() { f.phase = "stopping" })
	var public, rest []*member
	for _, m := range f.all() {
		if len(m.service.Public) > 0 {
			public = append(public, m)
			continue
		}
		rest = append(rest, m)
	}
	for _, group := range [][]*member{public, rest} {
		f.stopTogether(group)
	}
	f.lives.Wait()
	f.set(func() { f.phase = "down" })
	close(f.downed)
}

func (f *Fleet) stopTogether(group []*member) {
	group = slices.DeleteFunc(group, func(m *member) bool { return !m.isStarted() })
	if len(group) == 0 {
		return
	}
	names := make([]string, 0, len(group))
	for _, m := range group {
		names = append(names, m.Name)
	}
	f.say("stopping " + join(names))
	var stopping sync.WaitGroup
	for _, m := range group {
		stopping.Go(func() { f.stop(m) })
	}
	stopping.Wait()
}
