package chart

import (
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
)

const (
	width  = 760
	margin = 20
	// glyph is about the width of a character at the size of labels.
	glyph = 7.2
)

const style = `<style>
:root{--ink:#1f2328;--soft:#656d76;--grid:#d0d7de;--paper:#ffffff;--c0:#0969da;--c1:#bc4c00;--c2:#1a7f37;--c3:#8250df;--c4:#9a6700;--bad:#cf222e}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--grid:#3d444d;--paper:#0d1117;--c0:#58a6ff;--c1:#f0883e;--c2:#3fb950;--c3:#bc8cff;--c4:#d29922;--bad:#ff7b72}}
text{font:13px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
.title{font-size:16px;font-weight:600}.soft{fill:var(--soft)}.paper{fill:var(--paper)}
.grid{stroke:var(--grid);stroke-width:1}.target{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:5 4}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
</style>`

// canvas collects the elements of one drawing.
type canvas struct{ b strings.Builder }

func (c *canvas) printf(format string, args ...any) { fmt.Fprintf(&c.b, format+"\n", args...) }

func (c *canvas) text(x, y float64, class, anchor, text string) {
	c.printf(`<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`, x, y, class, anchor, html.EscapeString(text))
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	c.printf(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, x1, y1, x2, y2, class)
}

// write puts the frame around what was drawn.
func (c *canvas) write(w io.Writer, height float64, title, description string) error {
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img" aria-labelledby="t d">
<title id="t">%s</title><desc id="d">%s</desc>
%s
<rect class="paper" width="100%%" height="100%%" rx="6"/>
%s</svg>
`, width, height, width, height, html.EscapeString(title), html.EscapeString(description), style, c.b.String())
	return err
}

func colour(i int) string { return fmt.Sprintf("var(--c%d)", i%5) }

// ticks are 3 to 7 round numbers from 0 to at least top.
func ticks(top float64) []float64 {
	if top <= 0 || math.IsInf(top, 0) || math.IsNaN(top) {
		return []float64{0, 1}
	}
	step := math.Pow(10, math.Floor(math.Log10(top)))
	for _, part := range []float64{0.2, 0.25, 0.5, 1, 2} {
		if top/(step*part) <= 6 {
			step *= part
			break
		}
	}
	list := []float64{0}
	for v := step; list[len(list)-1] < top*(1-1e-9); v += step {
		list = append(list, v)
	}
	return list
}

// Number writes a value with as many digits as help a reader: 41,200 · 12.5 · 0.043.
func Number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	digits := 0
	switch a := math.Abs(v); {
	case a == 0 || a >= 100:
	case a >= 10:
		digits = 1
	case a >= 1:
		digits = 2
	default:
		digits = min(int(math.Ceil(-math.Log10(a)))+1, 6)
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return group(text)
}

// group puts commas between thousands.
func group(text string) string {
	whole, fraction, has := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if has {
		return sign + whole + "." + fraction
	}
	return sign + whole
}
