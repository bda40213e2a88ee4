package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/machine"
)

// Record is the file of one pattern.
type Record struct {
	Pattern string `json:"pattern"`
	Title   string `json:"title"`
	Page    string `json:"page,omitempty"`
	Quick   bool   `json:"quick,omitempty"`
	Parts   []Part `json:"parts"`
}

// Verdict of all parts: one that fails decides, then one that could not run.
func (r Record) Verdict() Verdict {
	verdict := Holds
	for _, p := range r.Parts {
		switch {
		case p.Verdict == Fails:
			return Fails
		case p.Verdict == NotShown:
			verdict = NotShown
		}
	}
	return verdict
}

// Runner runs patterns.
type Runner struct {
	Root    string // of the tree
	Results string // directory of the records
	Quick   bool
	Out     io.Writer
}

// Run runs the experiments of a pattern, or only the named one, whose part then
// replaces its predecessor in the record.
func (run Runner) Run(ctx context.Context, p Pattern, only string) (Record, error) {
	if err := os.MkdirAll(run.Results, 0o755); err != nil {
		return Record{}, fmt.Errorf("results: %w", err)
	}
	fmt.Fprintf(run.Out, "\n%s  %s\n", p.ID, p.Title)
	record := Record{Pattern: p.ID, Title: p.Title, Page: p.Page, Quick: run.Quick}
	old, _ := Read(filepath.Join(run.Results, p.ID+".json")) // none yet: an empty record
	known := false
	for _, e := range p.Experiments {
		if only != "" && e.Name != only {
			if part, ok := old.part(e.Name); ok {
				record.Parts = append(record.Parts, part)
			}
			continue
		}
		known = true
		part, err := run.experiment(ctx, p, e)
		if err != nil {
			return Record{}, err
		}
		record.Parts = append(record.Parts, part)
		if ctx.Err() != nil {
			return Record{}, context.Cause(ctx)
		}
	}
	if !known {
		return Record{}, fmt.Errorf("%s has no experiment %q", p.ID, only)
	}
	return record, record.write(filepath.Join(run.Results, p.ID+".json"))
}

func (run Runner) experiment(ctx context.Context, p Pattern, e Experiment) (Part, error) {
	fmt.Fprintf(run.Out, "\n  %s/%s: %s\n", p.ID, e.Name, e.Question)
	dir, err := os.MkdirTemp("", "flotilla-"+strings.ToLower(p.ID)+"-")
	if err != nil {
		return Part{}, fmt.Errorf("scratch directory: %w", err)
	}
	defer os.RemoveAll(dir)
	r := &Report{Quick: run.Quick, Root: run.Root, Dir: dir, pattern: p.ID, results: run.Results, out: run.Out}
	begin := time.Now()
	r.part = Part{Name: e.Name, Question: e.Question, Date: begin.UTC().Truncate(time.Second), Machine: machine.Describe(ctx)}
	err = e.Run(ctx, r)
	r.part.Took = time.Since(begin).Round(100 * time.Millisecond).String()
	r.part.decide(err)
	switch {
	case r.part.Missing != "":
		fmt.Fprintf(run.Out, "  ----  could not run here: %s\n", r.part.Missing)
	case r.part.Error != "":
		fmt.Fprintf(run.Out, "  FAIL  %s\n", r.part.Error)
	}
	return r.part, nil
}

// decide turns the claims and the error of an experiment into its verdict. An
// experiment that claims nothing has shown nothing.
func (p *Part) decide(err error) {
	p.Verdict = Holds
	var missing Missing
	switch {
	case errors.As(err, &missing):
		p.Verdict, p.Missing = NotShown, missing.What
	case err != nil:
		p.Verdict, p.Error = Fails, err.Error()
	case len(p.Claims) == 0:
		p.Verdict, p.Error = Fails, "the experiment claimed nothing"
	}
	for _, c := range p.Claims {
		if !c.Holds {
			p.Verdict = Fails
		}
	}
}

func (r Record) part(name string) (Part, bool) {
	for _, p := range r.Parts {
		if p.Name == name {
			return p, true
		}
	}
	return Part{}, false
}

// Read reads a record.
func Read(name string) (Record, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	var r Record
	if err := json.Unmarshal(text, &r); err != nil {
		return Record{}, fmt.Errorf("read record %s: %w", name, err)
	}
	return r, nil
}

func (r Record) write(name string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	if err := os.WriteFile(name, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}

// Summary prints the verdicts and returns the exit status: 0 everything holds,
// 1 something does not, 3 something could not run here.
func Summary(out io.Writer, records []Record) int {
	fmt.Fprintln(out)
	status := 0
	for _, r := range records {
		claims, held := 0, 0
		var missing []string
		for _, p := range r.Parts {
			for _, c := range p.Claims {
				claims++
				if c.Holds {
					held++
				}
			}
			if p.Missing != "" {
				missing = append(missing, p.Name+" ("+p.Missing+")")
			}
		}
		verdict := r.Verdict()
		fmt.Fprintf(out, "%s %s: %d of %d claims hold", r.Pattern, verdict, held, claims)
		if len(missing) > 0 {
			fmt.Fprintf(out, "; missing: %s", strings.Join(missing, ", "))
		}
		fmt.Fprintln(out)
		switch {
		case verdict == Fails:
			status = 1
		case verdict == NotShown && status == 0:
			status = 3
		}
	}
	return status
}

func printTable(out io.Writer, t Table) {
	fmt.Fprintf(out, "        %s\n", t.Title)
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	fmt.Fprintf(w, "          %s\n", strings.Join(t.Columns, "\t"))
	for _, row := range t.Rows {
		fmt.Fprintf(w, "          %s\n", strings.Join(row, "\t"))
	}
	_ = w.Flush() // to the terminal
}
