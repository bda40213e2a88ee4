package chart

import (
	"fmt"
	"io"
	"strings"
)

// Bars compares values of one unit, one bar a row.
type Bars struct {
	Title string
	Note  string // under the title: how it was measured
	Unit  string
	Rows  []Row
}

// Row is one bar. A row with Target > 0 gets a mark there.
type Row struct {
	Label  string
	Value  float64
	Target float64
	Series int  // colour; rows of one series share it
	Bad    bool // drawn as a failure
}

// Write draws the bars.
func (b Bars) Write(w io.Writer) error {
	const rowHeight, top = 30.0, 70.0
	left, longest := 0.0, 0.0
	for _, r := range b.Rows {
		left = max(left, float64(len([]rune(r.Label)))*glyph)
		longest = max(longest, r.Value, r.Target)
	}
	left = min(left, width*0.45) + margin + 10
	right := float64(width) - margin - 90
	scale := ticks(longest)
	end := scale[len(scale)-1]
	at := func(v float64) float64 { return left + v/end*(right-left) }

	var c canvas
	bottom := top + rowHeight*float64(len(b.Rows))
	c.text(margin, 28, "title", "start", b.Title)
	c.text(margin, 48, "soft", "start", b.Note)
	for _, v := range scale {
		c.line(at(v), top-6, at(v), bottom, "grid")
		c.text(at(v), bottom+18, "soft", "middle", Number(v))
	}
	c.text(right, bottom+38, "soft", "end", b.Unit)
	for i, r := range b.Rows {
		y := top + rowHeight*float64(i)
		fill := colour(r.Series)
		if r.Bad {
			fill = "var(--bad)"
		}
		c.text(left-10, y+17, "", "end", r.Label)
		c.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="20" rx="2" fill="%s"/>`, left, y+2, max(at(max(r.Value, 0))-left, 1), fill)
		edge := at(max(r.Value, 0))
		if r.Target > 0 {
			c.line(at(r.Target), y-2, at(r.Target), y+26, "target")
			if at(r.Target) > edge && at(r.Target) < edge+60 {
				edge = at(r.Target)
			}
		}
		c.text(edge+6, y+17, "", "start", Number(r.Value))
	}
	return c.write(w, bottom+54, b.Title, b.describe())
}

func (b Bars) describe() string {
	parts := make([]string, 0, len(b.Rows))
	for _, r := range b.Rows {
		parts = append(parts, fmt.Sprintf("%s: %s %s", r.Label, Number(r.Value), b.Unit))
	}
	return strings.Join(parts, "; ")
}
