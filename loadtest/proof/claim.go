package proof

import (
	"fmt"
	"math"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
)

// Claim is one sentence that a measurement decides.
type Claim struct {
	Name     string `json:"name"`
	Target   string `json:"target"`
	Measured string `json:"measured"`
	Holds    bool   `json:"holds"`
	Reason   string `json:"reason,omitempty"` // why it does not, from people
}

// AtMost claims value ≤ limit. NaN holds nothing.
func AtMost(name string, value, limit float64, unit string) Claim {
	return Claim{Name: name, Target: "≤ " + quantity(limit, unit), Measured: quantity(value, unit), Holds: value <= limit}
}

// AtLeast claims value ≥ limit.
func AtLeast(name string, value, limit float64, unit string) Claim {
	return Claim{Name: name, Target: "≥ " + quantity(limit, unit), Measured: quantity(value, unit), Holds: value >= limit}
}

// Exactly claims equality, for things that are counted.
func Exactly(name string, value, want int, unit string) Claim {
	return Claim{Name: name, Target: "exactly " + quantity(float64(want), unit), Measured: quantity(float64(value), unit), Holds: value == want}
}

// Within claims |value − want| ≤ share × want.
func Within(name string, value, want, share float64, unit string) Claim {
	off := (value - want) / want
	return Claim{
		Name: name, Target: fmt.Sprintf("%s ± %s %%", quantity(want, unit), chart.Number(share*100)),
		Measured: fmt.Sprintf("%s (%+.1f %%)", quantity(value, unit), off*100), Holds: math.Abs(off) <= share,
	}
}

// That claims anything that a sentence says better than a number.
func That(name, target, measured string, holds bool) Claim {
	return Claim{Name: name, Target: target, Measured: measured, Holds: holds}
}

// Number writes a value for a table.
func Number(v float64) string { return chart.Number(v) }

func quantity(v float64, unit string) string {
	if unit == "" {
		return chart.Number(v)
	}
	return chart.Number(v) + " " + unit
}

// Measurement informs without deciding.
type Measurement struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"`
}

// Table shows what does not fit a sentence.
type Table struct {
	Title   string     `json:"title"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}
