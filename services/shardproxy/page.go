package shardproxy

import (
	_ "embed" // the page
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed status.html
var pageText string

//go:embed status.css
var pageStyle string

var page = template.Must(template.New("status").Parse(pageText))

// A pageView is what the page shows.
type pageView struct {
	ID, Source, Key, Function, Broken string
	Bounded                           float64
	Loaded                            string
	Window                            string
	Loss                              Loss
	Shards                            []shardReport
}

// handlePage shows the state of the shards as a page without script, which loads itself
// again.
func (p *proxy) handlePage(w http.ResponseWriter, _ *http.Request) {
	t := p.table.Load()
	view := pageView{ID: t.id, Source: t.source, Key: t.key.String(), Function: t.Function, Bounded: t.Layout.Bounded,
		Loaded: t.loaded.Format(time.DateTime), Window: p.cfg.Window.String(), Loss: p.cfg.Loss, Shards: p.report()}
	p.mu.Lock()
	if p.broken != nil {
		view.Broken = p.broken.Error()
	}
	p.mu.Unlock()
	var text strings.Builder
	if err := page.Execute(&text, view); err != nil {
		p.log.Error("status page not made", "error", err)
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
	_, _ = w.Write([]byte(text.String())) // who asked is gone when this fails
}

func handleStyle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(pageStyle))
}

// The methods below write numbers for people.

// PerSecond is the rate.
func (s shardReport) PerSecond() string { return decimal(s.Rate, 1) }

// Percent is the share of the load.
func (s shardReport) Percent() string { return decimal(100*s.Share, 1) + " %" }

// ByWeight is the share that the weight stands for.
func (s shardReport) ByWeight() string { return decimal(100*s.Expected, 1) + " %" }

// Median is the latency in milliseconds.
func (s shardReport) Median() string { return decimal(1000*s.P50, 1) + " ms" }

// Tail is the 99th percentile.
func (s shardReport) Tail() string { return decimal(1000*s.P99, 1) + " ms" }

// HitRate is the live one.
func (s shardReport) HitRate() string {
	if s.HitRatio == nil {
		return "–"
	}
	return decimal(100**s.HitRatio, 1) + " %"
}

func decimal(v float64, places int) string { return strconv.FormatFloat(v, 'f', places, 64) }
