package experiment

import (
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/arm"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/shadow"
	"github.com/flotilla-dev/flotilla/internal/measure"
)

// A table is a plan that runs. It does not change; what its experiments and shadows have counted does.
type table struct {
	plan        *plan.Plan
	experiments map[string]*trial
	byLayer     [][]*trial // as in plan.Layers
	shadows     []*mirror
	loaded      time.Time
}

// A trial is an experiment that runs.
type trial struct {
	plan.Experiment
	layer *plan.Layer
	arm   *running
	// seen are the answers of its arm, and beside those of production in the same layer and window.
	seen, beside *measure.Series
	rescued      atomic.Uint64 // requests that production answered because the arm did not, or badly
	stopped      atomic.Pointer[stop]
}

// A stop says why an experiment was switched off.
type stop struct {
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// A mirror is a shadow that runs.
type mirror struct {
	plan.Shadow
	arm    *running
	shadow *shadow.Shadow
	end    func() // stops its workers
}

// running is an arm with what ends it.
type running struct {
	*arm.Arm
	name     string
	plan     plan.Arm
	head     time.Duration
	attempts int
	end      func()
}

// open tells that the answers in a layer depend on who asks.
func open(trials []*trial) bool {
	for _, t := range trials {
		if t.Percent > 0 && t.stopped.Load() == nil {
			return true
		}
	}
	return false
}

// find returns the layer of a path, its trials, and whether there is one.
func (t *table) find(path string) (*plan.Layer, []*trial) {
	layer := t.plan.Layer(path)
	for i := range t.plan.Layers {
		if layer == &t.plan.Layers[i] {
			return layer, t.byLayer[i]
		}
	}
	return nil, nil
}

// running lists the arms of the table.
func (t *table) running() []*running {
	var all []*running
	for _, x := range t.experiments {
		all = append(all, x.arm)
	}
	for _, m := range t.shadows {
		all = append(all, m.arm)
	}
	return all
}
