package experiment

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/plan"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/shadow"
	"github.com/flotilla-dev/flotilla/internal/measure"
	"github.com/flotilla-dev/flotilla/internal/problem"
)

// Report is what GET /v1/experiments answers.
type Report struct {
	File        File         `json:"file"`
	Production  Numbers      `json:"production"` // all requests that it answered, since the start
	Experiments []Experiment `json:"experiments"`
	Shadows     []Shadow     `json:"shadows"`
}

// File is the state of the file of experiments.
type File struct {
	Path    string     `json:"path,omitempty"`
	Loaded  *time.Time `json:"loaded,omitempty"`  // when the one in use was
	Problem string     `json:"problem,omitempty"` // of a newer one, which was refused
}

// Numbers are what was counted of an arm. Latencies are until the head of an answer.
type Numbers struct {
	Requests     uint64  `json:"requests"`
	Errors       uint64  `json:"errors"`
	ErrorPercent float64 `json:"error_percent"`
	P50          float64 `json:"p50_ms"`
	P99          float64 `json:"p99_ms"`
}

// Experiment is the state of one.
type Experiment struct {
	Name    string    `json:"name"`
	State   string    `json:"state"` // running, or stopped
	Stop    *stop     `json:"stop,omitempty"`
	Percent string    `json:"percent"`
	From    string    `json:"from"`
	Layer   string    `json:"layer"`
	Path    string    `json:"path"`
	Sticky  string    `json:"sticky"`
	Since   time.Time `json:"since"`            // this entry of the file is in use
	Usable  int       `json:"usable_replicas"`  // that the next request may be sent to
	Ejected int       `json:"ejected_replicas"` // that have failed too often, for a while
	Numbers
	Rescued uint64  `json:"rescued"` // requests of its users that production answered instead
	Budget  *Budget `json:"budget,omitempty"`
}

// Budget is what an experiment may cost, and what is looked at now.
type Budget struct {
	Errors      string  `json:"errors_percent,omitempty"`
	P99         float64 `json:"p99_times,omitempty"`
	Window      string  `json:"window"`
	MinRequests int     `json:"min_requests"`
	Now         Numbers `json:"now"`
	Production  Numbers `json:"production_now"`
}

// Shadow is the state of one.
type Shadow struct {
	Name       string            `json:"name"`
	Percent    string            `json:"percent"`
	Path       string            `json:"path"`
	Methods    string            `json:"methods"`
	Since      time.Time         `json:"since"`
	Usable     int               `json:"usable_replicas"`
	Ejected    int               `json:"ejected_replicas"`
	Verdicts   map[string]uint64 `json:"verdicts"`
	Dropped    uint64            `json:"dropped"`
	Skipped    uint64            `json:"skipped"`
	Shadow     Numbers           `json:"shadow"`
	Production Numbers           `json:"production"` // of the same requests
	Recent     []shadow.Mismatch `json:"recent"`
}

func numbers(s measure.Summary) Numbers {
	return Numbers{Requests: s.Requests, Errors: s.Errors, ErrorPercent: 100 * s.ErrorShare(), P50: millis(s.P50), P99: millis(s.P99)}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (s *Server) report() Report {
	t := s.table.Load()
	whole, _ := s.answered.Whole()
	r := Report{File: File{Path: s.cfg.ConfigFile}, Production: numbers(whole), Experiments: []Experiment{}, Shadows: []Shadow{}}
	if !t.loaded.IsZero() {
		r.File.Loaded = &t.loaded
	}
	s.mu.Lock()
	if s.broken != nil {
		r.File.Problem = s.broken.Error()
	}
	s.mu.Unlock()
	for _, x := range t.experiments {
		r.Experiments = append(r.Experiments, x.report())
	}
	slices.SortFunc(r.Experiments, func(a, b Experiment) int { return cmp.Compare(a.Name, b.Name) })
	for _, m := range t.shadows {
		r.Shadows = append(r.Shadows, m.report())
	}
	return r
}

func (t *trial) report() Experiment {
	whole, since := t.seen.Whole()
	e := Experiment{Name: t.Name, State: "running", Percent: t.Percent.String(), From: t.From.String(), Layer: t.layer.Name, Path: t.layer.Path,
		Sticky: t.layer.Sticky.String(), Since: since.UTC(), Numbers: numbers(whole), Rescued: t.rescued.Load()}
	e.Usable, e.Ejected = t.arm.Replicas()
	if e.Stop = t.stopped.Load(); e.Stop != nil {
		e.State = "stopped"
	}
	if !t.Budget.Zero() {
		e.Budget = &Budget{P99: t.Budget.P99, Window: t.Budget.Window.String(), MinRequests: t.Budget.MinRequests,
			Now: numbers(t.seen.Window()), Production: numbers(t.beside.Window())}
		if t.Budget.Errors != plan.None {
			e.Budget.Errors = t.Budget.Errors.String()
		}
	}
	return e
}

func (m *mirror) report() Shadow {
	r := m.shadow.Report()
	shown := Shadow{Name: m.Name, Percent: m.Percent.String(), Path: m.Path, Methods: m.Methods, Since: r.Since.UTC(),
		Verdicts: r.Verdicts, Dropped: r.Dropped, Skipped: r.Skipped, Shadow: numbers(r.Shadow), Production: numbers(r.Production), Recent: r.Recent}
	shown.Usable, shown.Ejected = m.arm.Replicas()
	return shown
}

// routes adds the report to the administration listener; protect is how. They are held together with openapi.yaml
// by a test.
func (s *Server) routes(protect func(pattern string, h http.Handler)) {
	protect("GET /v1/experiments", http.HandlerFunc(s.answerReport))
	protect("POST /v1/experiments/{name}/resume", http.HandlerFunc(s.answerResume))
	protect("GET /report", http.HandlerFunc(s.answerPage))
	protect("GET /report.css", http.HandlerFunc(answerStyle))
}

func (s *Server) answerReport(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(s.report()) // the operator is gone when this fails
}

func (s *Server) answerResume(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	found, was := s.resume(name)
	if !found {
		problem.New(http.StatusNotFound, "no-such-experiment", "the file in use has no experiment of this name").Write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "state": "running", "was_stopped": was})
}

func (s *Server) answerPage(w http.ResponseWriter, _ *http.Request) {
	var page bytes.Buffer
	if err := reportPage.Execute(&page, s.report()); err != nil {
		s.log.Error("report page", "error", err)
		problem.New(http.StatusInternalServerError, "internal", "something went wrong here; it was logged").Write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, _ = page.WriteTo(w) // the operator is gone when this fails
}

func answerStyle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(reportStyle))
}
