package proof

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
)

const preamble = `# Results

Made by ` + "`make prove P=all`" + ` and ` + "`go run ./loadtest/cmd/prove docs`" + ` out of the records in
[loadtest/results](../loadtest/results): do not edit. How each number is measured stands in
[loadtest/README.md](../loadtest/README.md). A claim that does not hold stays here, marked ✗, with the
reason where it is known.
`

// Document makes the page of results from the records in a directory. The charts'
// path is that from the page to the directory.
func Document(results, charts string) (string, error) {
	names, err := filepath.Glob(filepath.Join(results, "*.json"))
	if err != nil {
		return "", fmt.Errorf("results: %w", err)
	}
	reasons, err := readReasons(filepath.Join(results, "reasons.json"))
	if err != nil {
		return "", err
	}
	var records []Record
	for _, name := range names {
		if filepath.Base(name) == "reasons.json" {
			continue
		}
		r, err := Read(name)
		if err != nil {
			return "", err
		}
		if r.Quick {
			return "", fmt.Errorf("%s is of a quick run, which proves nothing", name)
		}
		records = append(records, r)
	}
	d := document{charts: charts, reasons: reasons}
	d.line(preamble)
	if len(records) == 0 {
		d.line("No results yet: run `make prove P=all` on a machine that does nothing else.")
		return d.String(), nil
	}
	d.overview(records)
	for _, r := range records {
		d.record(r)
	}
	return d.String(), nil
}

func readReasons(name string) (map[string]string, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reasons: %w", err)
	}
	reasons := map[string]string{}
	if err := json.Unmarshal(text, &reasons); err != nil {
		return nil, fmt.Errorf("reasons: %s: %w", name, err)
	}
	return reasons, nil
}

type document struct {
	strings.Builder
	charts  string
	reasons map[string]string
}

func (d *document) line(format string, args ...any) {
	if len(args) == 0 {
		d.WriteString(format + "\n")
		return
	}
	fmt.Fprintf(d, format+"\n", args...)
}

func (d *document) overview(records []Record) {
	d.line("| pattern | verdict | claims that hold | measured |")
	d.line("|---|---|---|---|")
	for _, r := range records {
		claims, held := 0, 0
		days := map[string]bool{}
		for _, p := range r.Parts {
			days[p.Date.Format("2006-01-02")] = true
			for _, c := range p.Claims {
				claims++
				if c.Holds {
					held++
				}
			}
		}
		d.line("| [%s %s](#%s) | %s | %d of %d | %s |", r.Pattern, r.Title, strings.ToLower(r.Pattern), mark(r.Verdict() == Holds)+" "+string(r.Verdict()),
			held, claims, strings.Join(slices.Sorted(maps.Keys(days)), ", "))
	}
	d.machines(records)
}

// machines names every machine that the results come from, once.
func (d *document) machines(records []Record) {
	seen := map[string]machine.Facts{}
	for _, r := range records {
		for _, p := range r.Parts {
			text, _ := json.Marshal(p.Machine) // strings and numbers only
			seen[string(text)] = p.Machine
		}
	}
	d.line("\n| machine | cores | memory | kernel | Go | peers |")
	d.line("|---|---|---|---|---|---|")
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		m := seen[key]
		var peers []string
		for _, name := range slices.Sorted(maps.Keys(m.Peers)) {
			peers = append(peers, name+" "+m.Peers[name])
		}
		d.line("| %s, %s | %d | %s MiB | %s | %s | %s |", cell(m.CPU), m.OS, m.Cores, chart.Number(float64(m.MemoryM)), cell(m.Kernel), strings.TrimPrefix(m.Go, "go"), strings.Join(peers, ", "))
	}
}

func (d *document) record(r Record) {
	d.line("\n## %s", r.Pattern)
	d.line("\n**%s.**", r.Title)
	if r.Page != "" {
		d.line("\nThe pattern, to try and to break: [%s](%s).", r.Page, r.Page)
	}
	for _, p := range r.Parts {
		d.part(r, p)
	}
}

func (d *document) part(r Record, p Part) {
	d.line("\n### %s/%s", r.Pattern, p.Name)
	d.line("\n%s *%s* (%s, took %s.)", p.Question, p.Verdict, p.Date.Format("2006-01-02 15:04 UTC"), p.Took)
	if p.Missing != "" {
		d.line("\nMissing here: %s.", p.Missing)
	}
	if p.Error != "" {
		d.line("\nEnded by: `%s`", p.Error)
	}
	if len(p.Claims) > 0 {
		d.line("\n| | claim | target | measured |\n|---|---|---|---|")
		for _, c := range p.Claims {
			reason := cmp.Or(c.Reason, d.reasons[r.Pattern+"/"+p.Name+"/"+c.Name])
			if reason != "" {
				reason = " – " + reason
			}
			d.line("| %s | %s | %s | %s |", mark(c.Holds), cell(c.Name), cell(c.Target), cell(c.Measured+reason))
		}
	}
	if len(p.Measurements) > 0 {
		d.line("\n| measured beside it | |\n|---|---|")
		for _, m := range p.Measurements {
			d.line("| %s | %s |", cell(m.Name), cell(quantity(m.Value, m.Unit)))
		}
	}
	for _, t := range p.Tables {
		d.table(t)
	}
	for _, c := range p.Charts {
		d.line("\n![%s](%s/%s)", strings.TrimSuffix(c, ".svg"), d.charts, c)
	}
	for _, n := range p.Notes {
		d.line("\n%s", n)
	}
}

func (d *document) table(t Table) {
	d.line("\n%s:\n", t.Title)
	row := func(cells []string) {
		escaped := make([]string, len(cells))
		for i, c := range cells {
			escaped[i] = cell(c)
		}
		d.line("| %s |", strings.Join(escaped, " | "))
	}
	row(t.Columns)
	d.line("%s|", strings.Repeat("|---", len(t.Columns)))
	for _, r := range t.Rows {
		row(r)
	}
}

func mark(ok bool) string {
	if ok {
		return "✓"
	}
	return "✗"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
