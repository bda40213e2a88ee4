package experiment

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/arm"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/shadow"
	"github.com/flotilla-dev/flotilla/internal/measure"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// load makes the content of a file the current table, or keeps the old one and says why.
func (s *Server) load(content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := plan.Parse(content, s.cfg.lookup())
	if err == nil {
		err = s.become(p)
	}
	s.broken = err
	if err != nil {
		s.metrics.loads.WithLabelValues("refused").Inc()
		s.log.Error("experiments not taken, keeping the old ones", "error", err)
		return
	}
	s.metrics.loads.WithLabelValues("taken").Inc()
	s.log.Info("experiments taken", "layers", len(p.Layers), "shadows", len(p.Shadows))
}

// settle is how long a new arm may take to find a usable replica before it gets requests, and how long one that
// is no longer used stays for requests that began under the old table.
const settle = 500 * time.Millisecond

// become replaces the table. Experiments and shadows whose entries are the same go on as they are, with what they
// have counted and where they were stopped; arms that are spoken to in the same way keep their connections.
// s.mu is held.
func (s *Server) become(p *plan.Plan) error {
	s.generation++
	old, next := s.table.Load(), &table{plan: p, experiments: map[string]*trial{}, byLayer: make([][]*trial, len(p.Layers)), loaded: time.Now().UTC()}
	var fresh []*running
	for i := range p.Layers {
		layer := &p.Layers[i]
		for _, e := range layer.Experiments {
			t, err := s.trial(old, layer, e, &fresh)
			if err != nil {
				return abandon(err, fresh, nil)
			}
			next.experiments[e.Name], next.byLayer[i] = t, append(next.byLayer[i], t)
		}
	}
	for _, e := range p.Shadows {
		m, err := s.mirror(old, e, &fresh)
		if err != nil {
			return abandon(err, fresh, slices.DeleteFunc(next.shadows, func(m *mirror) bool { return slices.Contains(old.shadows, m) }))
		}
		next.shadows = append(next.shadows, m)
	}
	if !old.loaded.IsZero() { // traffic is on
		s.await(s.run, fresh)
	}
	s.table.Store(next)
	s.leave(old, next)
	return nil
}

// trial returns the experiment of an entry. s.mu is held.
func (s *Server) trial(old *table, layer *plan.Layer, e plan.Experiment, fresh *[]*running) (*trial, error) {
	before := old.experiments[e.Name]
	if before != nil && before.Experiment == e && before.layer.Name == layer.Name && before.layer.Path == layer.Path && before.layer.Sticky == layer.Sticky {
		return before, nil
	}
	var same *running
	if before != nil {
		same = before.arm
	}
	a, err := s.arm(same, e.Name, e.Arm, e.Timeout, s.cfg.RetryAttempts, fresh)
	if err != nil {
		return nil, err
	}
	return &trial{Experiment: e, layer: layer, arm: a, seen: measure.NewSeries(e.Budget.Window, nil), beside: measure.NewSeries(e.Budget.Window, nil)}, nil
}

// mirror returns the shadow of an entry. s.mu is held.
func (s *Server) mirror(old *table, e plan.Shadow, fresh *[]*running) (*mirror, error) {
	var same *running
	for _, before := range old.shadows {
		if before.Name == e.Name {
			if before.Shadow == e {
				return before, nil
			}
			same = before.arm
		}
	}
	a, err := s.arm(same, e.Name, e.Arm, e.Timeout, 1, fresh) // a copy that is lost is not worth another
	if err != nil {
		return nil, err
	}
	sh := shadow.New(shadow.Options{Name: e.Name, Transport: a, Timeout: e.Timeout, Queue: s.cfg.ShadowQueue, Workers: s.cfg.ShadowWorkers,
		MaxAnswer: int(s.cfg.ShadowAnswer), Memory: s.memory, Compare: shadow.Compare{JSON: e.JSON, Ignore: e.Ignored()}})
	ctx, cancel := context.WithCancel(s.run)
	s.work.Go(func() { sh.Run(ctx) })
	return &mirror{Shadow: e, arm: a, shadow: sh, end: cancel}, nil
}

// arm returns the arm that is there, where it is the same, or starts one. s.mu is held.
func (s *Server) arm(same *running, name string, where plan.Arm, head time.Duration, attempts int, fresh *[]*running) (*running, error) {
	if same != nil && same.plan == where && same.head == head && same.attempts == attempts {
		return same, nil
	}
	address, err := upstream.Parse(where.Upstream)
	if err != nil {
		return nil, err
	}
	limits := s.cfg.Limits
	limits.RetryAttempts = attempts
	a, err := arm.New(arm.Options{Name: name, Address: address, TLS: clientTLS(s.roots, where.TLSName), Intervals: s.cfg.Intervals,
		Health: s.cfg.Health, Limits: limits, Connect: min(s.cfg.Connect, head), Head: head, MaxConns: s.cfg.MaxConns, Spare: true, Log: s.log,
		// An arm whose entry changed runs beside its old self for a while.
		Metrics: prometheus.WrapRegistererWith(prometheus.Labels{"generation": strconv.Itoa(s.generation)}, s.registry)})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(s.run)
	s.work.Go(func() {
		if err := a.Run(ctx); err != nil {
			s.log.Error("arm ended", "arm", name, "error", err)
		}
	})
	r := &running{Arm: a, name: name, plan: where, head: head, attempts: attempts, end: cancel}
	*fresh = append(*fresh, r)
	return r, nil
}

// await gives arms a moment to find their replicas. One that finds none is still what was asked for.
func (s *Server) await(ctx context.Context, arms []*running) {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	for _, r := range arms {
		_ = r.Await(ctx)
	}
}

// abandon ends what was begun for a table that does not come to be.
func abandon(err error, arms []*running, mirrors []*mirror) error {
	for _, m := range mirrors {
		m.end()
	}
	retire(arms)
	return err
}

func retire(all []*running) {
	for _, r := range all {
		r.end()
	}
}

// leave ends what the new table has no use for. s.mu is held.
func (s *Server) leave(old, next *table) {
	used := map[*running]bool{}
	for _, r := range next.running() {
		used[r] = true
	}
	mirrored := map[*mirror]bool{}
	for _, m := range next.shadows {
		mirrored[m] = true
	}
	for _, m := range old.shadows {
		if !mirrored[m] {
			m.end()
		}
	}
	var gone []*running
	for _, r := range old.running() {
		if !used[r] {
			gone = append(gone, r)
		}
	}
	if len(gone) == 0 {
		return
	}
	s.work.Go(func() { // new requests do not meet them, those under way may still look for a replica
		select {
		case <-time.After(settle):
		case <-s.run.Done():
		}
		for _, r := range gone {
			if s.table.Load().experiments[r.name] == nil { // else it has another arm now
				s.metrics.forget(r.name)
			}
		}
		retire(gone)
	})
}
