package proof

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/machine"
)

// Pattern is a row of the catalogue with its experiments.
type Pattern struct {
	ID          string // "R1"
	Title       string
	Page        string // under docs/
	Experiments []Experiment
}

// Experiment answers one question.
type Experiment struct {
	Name     string // a file name: "rolling-restart"
	Question string
	Run      func(ctx context.Context, r *Report) error
}

// Missing is the error of an experiment that cannot run on this machine.
type Missing struct{ What string }

func (m Missing) Error() string { return "cannot run here: " + m.What }

// Verdict is what became of an experiment or a pattern.
type Verdict string

// The verdicts.
const (
	Holds    Verdict = "holds"
	Fails    Verdict = "does not hold"
	NotShown Verdict = "could not run here"
)

// Part is the record of one experiment.
type Part struct {
	Name         string        `json:"name"`
	Question     string        `json:"question"`
	Verdict      Verdict       `json:"verdict"`
	Missing      string        `json:"missing,omitempty"`
	Error        string        `json:"error,omitempty"`
	Date         time.Time     `json:"date"`
	Took         string        `json:"took"`
	Machine      machine.Facts `json:"machine"`
	Claims       []Claim       `json:"claims"`
	Measurements []Measurement `json:"measurements,omitempty"`
	Tables       []Table       `json:"tables,omitempty"`
	Charts       []string      `json:"charts,omitempty"` // files beside the record
	Notes        []string      `json:"notes,omitempty"`  // how it was measured, what to mind
}

// Report takes what an experiment finds. It belongs to one goroutine.
type Report struct {
	Quick bool   // fewer and shorter rounds: shows that it works, proves nothing
	Root  string // of the tree
	Dir   string // scratch, removed after the experiment

	pattern string
	results string // where charts go
	out     io.Writer
	part    Part
}

// Claim records and prints a claim, and tells whether it holds.
func (r *Report) Claim(c Claim) bool {
	r.part.Claims = append(r.part.Claims, c)
	sign := "ok  "
	if !c.Holds {
		sign = "FAIL"
	}
	fmt.Fprintf(r.out, "  %s  %s: %s (claimed: %s)\n", sign, c.Name, c.Measured, c.Target)
	return c.Holds
}

// Measured records and prints a number that decides nothing.
func (r *Report) Measured(name string, value float64, unit string) {
	r.part.Measurements = append(r.part.Measurements, Measurement{name, value, unit})
	fmt.Fprintf(r.out, "        %s: %s\n", name, quantity(value, unit))
}

// Table records and prints a table.
func (r *Report) Table(t Table) {
	r.part.Tables = append(r.part.Tables, t)
	printTable(r.out, t)
}

// Note records and prints a sentence for the reader of the results.
func (r *Report) Note(format string, args ...any) {
	r.part.Notes = append(r.part.Notes, fmt.Sprintf(format, args...))
	fmt.Fprintf(r.out, "        "+format+"\n", args...)
}

// Log prints progress, which is no part of the record.
func (r *Report) Log(format string, args ...any) { fmt.Fprintf(r.out, "        "+format+"\n", args...) }

// Drawing is a chart.
type Drawing interface{ Write(w io.Writer) error }

// Chart keeps a drawing beside the record.
func (r *Report) Chart(name string, d Drawing) error {
	file := r.pattern + "-" + name + ".svg"
	f, err := os.Create(filepath.Join(r.results, file))
	if err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	defer f.Close()
	if err := d.Write(f); err != nil {
		return fmt.Errorf("chart %s: %w", name, err)
	}
	r.part.Charts = append(r.part.Charts, file)
	return f.Close()
}

// Rounds is how often a comparison is repeated.
func (r *Report) Rounds() int {
	if r.Quick {
		return 1
	}
	return 5
}

// Span is how long something is measured: d, or a short time when quick.
func (r *Report) Span(d, quick time.Duration) time.Duration {
	if r.Quick {
		return quick
	}
	return d
}
