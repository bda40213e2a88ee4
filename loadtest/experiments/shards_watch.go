package experiments

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// watching is clients that ask for keys of two groups, and what they met.
type watching struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex // guards all below
	now     string     // phase
	samples []watched
	err     error // of a client that lost its connection
}

type watched struct {
	group, phase string
	took         time.Duration
	failed       bool
}

// watch starts clients that write and read keys, one request at a time each, with
// a moment between.
func watch(ctx context.Context, dial func(context.Context) (keeper, error), its, others []string) *watching {
	ctx, cancel := context.WithCancel(ctx)
	w := &watching{cancel: cancel, now: "begin"}
	for _, g := range []struct {
		name string
		keys []string
	}{{"its", its}, {"others", others}} {
		for range watchers {
			w.wg.Go(func() { w.note(w.client(ctx, dial, g.name, g.keys)) })
		}
	}
	return w
}

func (w *watching) client(ctx context.Context, dial func(context.Context) (keeper, error), group string, keys []string) error {
	c, err := dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	for i := 0; ctx.Err() == nil; i++ {
		began := time.Now()
		failed, err := c.touch(keys[i%len(keys)], i%2 == 0)
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.samples = append(w.samples, watched{group, w.now, time.Since(began), failed})
		w.mu.Unlock()
		if retry.Sleep(ctx, time.Millisecond) != nil {
			return nil
		}
	}
	return nil
}

func (w *watching) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.err == nil {
		w.err = err
	}
}

// phase names what happens from now on.
func (w *watching) phase(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = name
}

func (w *watching) stop() {
	w.cancel()
	w.wg.Wait()
}

func (w *watching) count(fits func(watched) bool) int {
	n := 0
	for _, s := range w.samples {
		if fits(s) {
			n++
		}
	}
	return n
}

func (w *watching) total(group string) int {
	return w.count(func(s watched) bool { return s.group == group })
}

func (w *watching) failed(group string) int {
	return w.count(func(s watched) bool { return s.group == group && s.failed })
}

func (w *watching) failedIn(group, phase string) int {
	return w.count(func(s watched) bool { return s.group == group && s.phase == phase && s.failed })
}

func (w *watching) p99(group, phase string) time.Duration {
	var all []time.Duration
	for _, s := range w.samples {
		if s.group == group && s.phase == phase {
			all = append(all, s.took)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}
