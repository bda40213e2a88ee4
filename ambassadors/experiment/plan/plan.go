package plan

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Slots are the places on the line of users of a layer: hundredths of a percent.
const Slots = 10_000

// The bounds of a file: every name is a label in metrics, and each arm has connections of its own.
const (
	MaxExperiments = 50
	MaxShadows     = 20
)

// A Plan is what a file says, checked. It does not change.
type Plan struct {
	Layers  []Layer // longest path first
	Shadows []Shadow
}

// A Layer is a set of users that experiments share. Its name is the salt of the hash.
type Layer struct {
	Name        string
	Path        string
	Sticky      Sticky
	Experiments []Experiment // by From
}

// An Experiment is one arm beside production. It can be compared: equal ones need no restart.
type Experiment struct {
	Name    string
	From    Percent
	Percent Percent
	Arm     Arm
	Timeout time.Duration // for the head of an answer
	Budget  Budget
}

// An Arm says where an experiment or a shadow runs.
type Arm struct {
	Upstream string // an upstream.Address, variables replaced
	TLSName  string // "": plain text
}

// A Budget is what an experiment may cost its users. It is judged over a window, once that has enough requests.
type Budget struct {
	Errors      Percent       // largest share of failed requests beyond production's own; None: no such budget
	P99         float64       // largest multiple of production's 99th percentile; 0: no such budget
	Window      time.Duration // that is looked at
	MinRequests int           // below which nothing is decided
}

// None is the Percent of a budget that was not given.
const None Percent = -1

// Zero tells that nothing can break the budget.
func (b Budget) Zero() bool { return b.Errors == None && b.P99 == 0 }

// A Shadow gets copies of requests, and its answers are compared with production's and thrown away.
type Shadow struct {
	Name        string
	Percent     Percent
	Arm         Arm
	Path        string
	Methods     string // joined by commas, so that shadows can be compared; see Wants
	Credentials bool   // Cookie and Authorization are copied too
	Timeout     time.Duration
	JSON        bool   // bodies are compared as JSON values
	Ignore      string // of them, paths joined by commas
}

// Wants tells whether copies of such requests are sent.
func (s *Shadow) Wants(method, path string) bool {
	return Covers(s.Path, path) && slices.Contains(strings.Split(s.Methods, ","), method)
}

// Ignored lists the fields that are left out of the comparison.
func (s *Shadow) Ignored() []string {
	if s.Ignore == "" {
		return nil
	}
	return strings.Split(s.Ignore, ",")
}

// Percent is a number of hundredths of a percent, 0 to 10,000.
type Percent int

func (p Percent) String() string { return fmt.Sprintf("%d.%02d", p/100, p%100) }

// Share is the percentage as a part of one.
func (p Percent) Share() float64 { return float64(p) / Slots }

// Layer returns the layer that a path belongs to, or nil.
func (p *Plan) Layer(path string) *Layer {
	for i := range p.Layers {
		if Covers(p.Layers[i].Path, path) {
			return &p.Layers[i]
		}
	}
	return nil
}

// At returns the index of the experiment that has a slot, or -1: production has it.
func (l *Layer) At(slot int) int {
	for i := range l.Experiments {
		if e := &l.Experiments[i]; slot >= int(e.From) && slot < int(e.From+e.Percent) {
			return i
		}
	}
	return -1
}

// Slot is where a user stands on the line of a layer.
func Slot(layer, identity string) int {
	buf := make([]byte, 0, 128) // on the stack for all but absurd identities
	buf = append(append(append(buf, layer...), 0), identity...)
	sum := sha256.Sum256(buf)
	return int(binary.BigEndian.Uint64(sum[:8]) % Slots)
}

// Covers tells whether a path is the prefix or below it. A prefix covers whole segments: /v1 covers /v1 and
// /v1/x, not /v10; one that ends in a slash covers everything below it.
func Covers(prefix, path string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || strings.HasSuffix(prefix, "/") || rest[0] == '/')
}
