package chart

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Lines shows values over a common axis, usually time.
type Lines struct {
	Title        string
	Note         string
	XUnit, YUnit string
	Series       []Series
	Marks        []Mark
}

// Series is one line. A gap is a Y that is NaN.
type Series struct {
	Name string
	X, Y []float64
	Bad  bool // drawn as a failure
}

// Mark is something that happened at X.
type Mark struct {
	X    float64
	Text string
}

const (
	plotTop, plotHeight = 106.0, 240.0
	plotLeft            = margin + 60.0
	plotRight           = width - margin - 10.0
)

// Write draws the lines.
func (l Lines) Write(w io.Writer) error {
	maxX, maxY := 0.0, 0.0
	for _, s := range l.Series {
		for i := range s.X {
			maxX = max(maxX, s.X[i])
			if !math.IsNaN(s.Y[i]) {
				maxY = max(maxY, s.Y[i])
			}
		}
	}
	for _, m := range l.Marks {
		maxX = max(maxX, m.X)
	}
	xs, ys := ticks(maxX), ticks(maxY)
	endX, endY := max(maxX, 1e-9), ys[len(ys)-1]
	x := func(v float64) float64 { return plotLeft + v/endX*(plotRight-plotLeft) }
	y := func(v float64) float64 { return plotTop + plotHeight*(1-v/endY) }

	var c canvas
	c.text(margin, 28, "title", "start", l.Title)
	c.text(margin, 48, "soft", "start", l.Note)
	l.legend(&c)
	for _, v := range ys {
		c.line(plotLeft, y(v), plotRight, y(v), "grid")
		c.text(plotLeft-8, y(v)+4, "soft", "end", Number(v))
	}
	for _, v := range xs {
		if v <= endX {
			c.text(x(v), plotTop+plotHeight+20, "soft", "middle", Number(v))
		}
	}
	c.text(plotRight, plotTop+plotHeight+38, "soft", "end", l.XUnit)
	c.text(margin, plotTop-14, "soft", "start", l.YUnit)
	for i, m := range l.Marks {
		c.line(x(m.X), plotTop, x(m.X), plotTop+plotHeight, "target")
		anchor, shift := "start", 4.0
		if x(m.X) > plotRight-150 {
			anchor, shift = "end", -4.0
		}
		c.text(x(m.X)+shift, plotTop+14+16*float64(i%5), "soft", anchor, m.Text)
	}
	for i, s := range l.Series {
		c.printf(`<path class="line" stroke="%s" d="%s"/>`, s.colour(i), path(s, x, y))
	}
	return c.write(w, plotTop+plotHeight+54, l.Title, l.describe())
}

func (s Series) colour(i int) string {
	if s.Bad {
		return "var(--bad)"
	}
	return colour(i)
}

func path(s Series, x, y func(float64) float64) string {
	var b strings.Builder
	pen := "M"
	for i := range s.X {
		if math.IsNaN(s.Y[i]) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, x(s.X[i]), y(s.Y[i]))
		pen = "L"
	}
	return b.String()
}

func (l Lines) legend(c *canvas) {
	at := float64(margin)
	for i, s := range l.Series {
		c.printf(`<rect x="%.1f" y="58" width="14" height="4" fill="%s"/>`, at, s.colour(i))
		c.text(at+20, 66, "", "start", s.Name)
		at += 36 + float64(len([]rune(s.Name)))*glyph
	}
}

func (l Lines) describe() string {
	parts := make([]string, 0, len(l.Series)+len(l.Marks))
	for _, s := range l.Series {
		highest := math.Inf(-1)
		for _, v := range s.Y {
			if !math.IsNaN(v) {
				highest = max(highest, v)
			}
		}
		parts = append(parts, fmt.Sprintf("%s: up to %s %s", s.Name, Number(highest), l.YUnit))
	}
	for _, m := range l.Marks {
		parts = append(parts, fmt.Sprintf("%s at %s %s", m.Text, Number(m.X), l.XUnit))
	}
	return strings.Join(parts, "; ")
}
