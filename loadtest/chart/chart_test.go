package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
)

// wellFormed fails on anything that is no XML, and returns all text.
func wellFormed(t *testing.T, svg []byte) string {
	t.Helper()
	var text strings.Builder
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return text.String()
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		if data, ok := token.(xml.CharData); ok {
			text.Write(data)
			text.WriteByte('\n')
		}
	}
}

func TestBarsNameEveryRowItsValueAndTheUnit(t *testing.T) {
	var out bytes.Buffer
	bars := chart.Bars{Title: "a < b & c", Note: "five rounds", Unit: "requests/s", Rows: []chart.Row{
		{Label: "cache", Value: 41234, Target: 34840}, {Label: "Varnish 7", Value: 26800, Series: 1}, {Label: "broken", Value: 0, Bad: true},
	}}
	if err := bars.Write(&out); err != nil {
		t.Fatal(err)
	}
	text := wellFormed(t, out.Bytes())
	for _, want := range []string{"a < b & c", "five rounds", "requests/s", "cache", "41,234", "Varnish 7", "26,800"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if !strings.Contains(out.String(), "prefers-color-scheme:dark") {
		t.Error("not readable on a dark page")
	}
}

func TestLinesSurviveGapsAndEmptySeries(t *testing.T) {
	var out bytes.Buffer
	lines := chart.Lines{Title: "latency", XUnit: "s", YUnit: "ms", Series: []chart.Series{
		{Name: "p99", X: []float64{0, 1, 2, 3}, Y: []float64{1, math.NaN(), 3, 2}}, {Name: "failed", Bad: true},
	}, Marks: []chart.Mark{{X: 2, Text: "kill -9"}}}
	if err := lines.Write(&out); err != nil {
		t.Fatal(err)
	}
	text := wellFormed(t, out.Bytes())
	if !strings.Contains(text, "kill -9") || strings.Contains(out.String(), "NaN") {
		t.Errorf("%s", out.String())
	}
	if got := strings.Count(out.String(), "M"); got < 2 {
		t.Errorf("a gap must lift the pen: %d paths begin", got)
	}
}

func TestNothingToDrawIsStillADrawing(t *testing.T) {
	var out bytes.Buffer
	if err := (chart.Bars{Title: "none"}).Write(&out); err != nil {
		t.Fatal(err)
	}
	if err := (chart.Lines{Title: "none"}).Write(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") {
		t.Errorf("%s", out.String())
	}
}

func TestNumbersHaveTheDigitsThatHelp(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 41234.4: "41,234", 1234567: "1,234,567", 12.34: "12.3", 1.5: "1.5", 0.0431: "0.043", -1250: "-1,250", 100: "100", math.NaN(): "–"} {
		if got := chart.Number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}
