package fleet

import (
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/infra/local/internal/proc"
	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
	"github.com/flotilla-dev/flotilla/infra/local/internal/supervise"
)

// Snapshot is the fleet of the moment.
func (f *Fleet) Snapshot() state.Fleet {
	f.mu.Lock()
	snapshot := state.Fleet{
		State: f.phase, Root: f.cfg.Root, Runner: f.identity, Started: f.started,
		BuildTime: f.buildTime.Seconds(), ReadyTime: f.readyTime.Seconds(),
		URLs: f.cfg.URLs(f.context.Public), CA: f.cfg.CA, Processes: []state.Process{},
	}
	f.mu.Unlock()
	for _, m := range f.all() {
		s := m.Status()
		snapshot.Processes = append(snapshot.Processes, state.Process{
			Name: m.service.Name, Instance: m.Name, Identity: state.Identity{PID: s.PID, Start: s.Start},
			Started: s.Started, Data: m.resolved.Data, Admin: m.resolved.Admin,
			State: string(s.State), Reason: s.Reason, Restarts: s.Restarts,
		})
		if snapshot.State == "ready" && s.State != supervise.Ready {
			snapshot.State = "degraded"
		}
	}
	return snapshot
}

// WithMemory adds what each process uses. It costs the kernel a walk over the
// pages of each.
func WithMemory(f state.Fleet) state.Fleet {
	for i, p := range f.Processes {
		if p.PID == 0 {
			continue
		}
		if bytes, err := proc.Memory(p.PID); err == nil {
			f.Processes[i].Memory = bytes
		}
	}
	return f
}

// touch says that something has changed. It does not block.
func (f *Fleet) touch() {
	select {
	case f.dirty <- struct{}{}:
	default:
	}
}

func (f *Fleet) set(change func()) {
	f.mu.Lock()
	change()
	f.mu.Unlock()
	f.touch()
}

// quiet is how long changes are collected before fleet.json is written: when a
// fleet starts there are dozens a second.
const quiet = 20 * time.Millisecond

// save keeps fleet.json equal to the fleet until the returned function is
// called.
func (f *Fleet) save() (stop func()) {
	stopping := make(chan struct{})
	var saving sync.WaitGroup
	saving.Go(func() {
		for {
			select {
			case <-stopping:
				return
			case <-f.dirty:
			}
			if err := state.Write(f.cfg.Dir, f.Snapshot()); err != nil {
				f.say("fleet.json was not written: " + err.Error())
			}
			select {
			case <-stopping:
				return
			case <-time.After(quiet):
			}
		}
	})
	return func() {
		close(stopping)
		saving.Wait()
	}
}

// say tells people, and whoever follows a command over the control socket.
func (f *Fleet) say(text string) {
	f.cfg.Say(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, listen := range f.listeners {
		listen(text)
	}
}

// listen hears what is said until the returned function is called. It must not
// block.
func (f *Fleet) listen(heard func(string)) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := f.nextID
	f.nextID++
	f.listeners[id] = heard
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners, id)
	}
}
