package broker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/source"
)

// A Resolution is what the sources say together.
type Resolution struct {
	Source     string             `json:"source"` // whose word is taken, or ""
	Candidates []source.Candidate `json:"-"`
	Stale      bool               `json:"stale"` // it is what the source said last; now it says nothing
	Pending    bool               `json:"pending"`
	Note       string             `json:"note,omitempty"`
}

// decide takes the word of the first source, in their order, that names a
// target. A source that cannot be asked keeps its word and its place: nothing is
// known against what it said. One whose target is gone steps back behind all that
// name one; what it said last is used when nobody does. A source that has not
// been asked yet is waited for, lest a connection goes to a database of less
// precedence for a moment.
func decide(names []string, reports []source.Report) Resolution {
	for i, r := range reports {
		switch {
		case r.State == source.Pending:
			note := names[i] + " has not answered yet"
			if r.Reason != "" {
				note = names[i] + ": " + r.Reason
			}
			return Resolution{Pending: true, Note: note}
		case len(r.Candidates) == 0:
		case r.State == source.Found:
			return Resolution{Source: names[i], Candidates: r.Candidates}
		case r.State == source.Failed:
			return Resolution{Source: names[i], Candidates: r.Candidates, Stale: true, Note: names[i] + " cannot be asked; this is what it said last"}
		}
	}
	for i, r := range reports {
		if r.State == source.Gone && len(r.Candidates) > 0 {
			return Resolution{Source: names[i], Candidates: r.Candidates, Stale: true, Note: names[i] + " names none any more; this is what it said last"}
		}
	}
	return Resolution{Note: "no source names a database: " + states(names, reports)}
}

// states tells how far each source is, without what it knows.
func states(names []string, reports []source.Report) string {
	var all []string
	for i, r := range reports {
		what := "has none"
		if r.State == source.Failed {
			what = "cannot be asked"
		}
		all = append(all, names[i]+" "+what)
	}
	return strings.Join(all, ", ")
}

// directory runs the sources and keeps what they say.
type directory struct {
	sources []source.Source
	names   []string
	log     *slog.Logger
	changed func(Resolution) // called one at a time
	needed  func()           // called once, when nobody but a provisioner is left

	mu         sync.Mutex // guards all below
	reports    []source.Report
	resolution Resolution
	since      time.Time
	asked      bool
}

func newDirectory(sources []source.Source, log *slog.Logger) *directory {
	d := &directory{sources: sources, log: log, resolution: Resolution{Pending: true, Note: "no source has answered yet"}, since: time.Now()}
	for _, s := range sources {
		d.names = append(d.names, s.Name())
		d.reports = append(d.reports, source.Report{State: source.Pending})
	}
	return d
}

// run runs all sources until ctx ends.
func (d *directory) run(ctx context.Context) error {
	var all sync.WaitGroup
	for i, s := range d.sources {
		all.Go(func() { s.Run(ctx, func(r source.Report) { d.hear(i, r) }) })
	}
	all.Wait()
	return nil
}

// hear takes a report. Its lock is held while the change is passed on: the last
// resolution is also the last that is heard of.
func (d *directory) hear(i int, r source.Report) {
	logReport(d.log, d.names[i], r)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reports[i] = r
	next := decide(d.names, d.reports)
	before := d.resolution
	d.resolution = next
	if before.Source != next.Source || !slices.Equal(before.Candidates, next.Candidates) {
		d.since = time.Now()
		d.log.Info("target taken", "source", next.Source, "addresses", fmt.Sprint(next.Candidates), "note", next.Note)
	}
	d.changed(next)
	if next.Source == "" && !next.Pending && !d.asked {
		d.asked = true
		d.needed()
	}
}

func (d *directory) now() (Resolution, time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.resolution, d.since
}

// SourceView is a source as operators see it.
type SourceView struct {
	Name      string       `json:"name"`
	State     source.State `json:"state"`
	Reason    string       `json:"reason,omitempty"`
	Addresses []string     `json:"addresses"`
}

func (d *directory) view() []SourceView {
	d.mu.Lock()
	defer d.mu.Unlock()
	views := make([]SourceView, 0, len(d.names))
	for i, r := range d.reports {
		v := SourceView{Name: d.names[i], State: r.State, Reason: r.Reason, Addresses: []string{}}
		for _, c := range r.Candidates {
			v.Addresses = append(v.Addresses, c.Address)
		}
		views = append(views, v)
	}
	return views
}
