package proof_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

func experiment(name string, run func(*proof.Report) error) proof.Experiment {
	return proof.Experiment{Name: name, Question: "Does it?", Run: func(_ context.Context, r *proof.Report) error { return run(r) }}
}

func good(r *proof.Report) error { r.Claim(proof.Exactly("lost", 0, 0, "requests")); return nil }
func bad(r *proof.Report) error  { r.Claim(proof.AtMost("p99", 5, 2, "ms")); return nil }

func missing(*proof.Report) error {
	return fmt.Errorf("peer: %w", proof.Missing{What: "varnishd is not installed"})
}
func broken(*proof.Report) error { return errors.New("the fleet did not start") }

func prove(t *testing.T, dir, only string, experiments ...proof.Experiment) (proof.Record, int, string) {
	t.Helper()
	var out bytes.Buffer
	run := proof.Runner{Root: ".", Results: dir, Out: &out}
	record, err := run.Run(t.Context(), proof.Pattern{ID: "R9", Title: "Something", Page: "r9.md", Experiments: experiments}, only)
	if err != nil {
		t.Fatal(err)
	}
	status := proof.Summary(&out, []proof.Record{record})
	return record, status, out.String()
}

func TestTheExitStatusTellsTheVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		experiments []func(*proof.Report) error
		status      int
		says        string
	}{
		"all claims hold":             {[]func(*proof.Report) error{good, good}, 0, "R9 holds: 2 of 2 claims hold"},
		"one does not":                {[]func(*proof.Report) error{good, bad}, 1, "FAIL  p99: 5 ms (claimed: ≤ 2 ms)"},
		"a peer is missing":           {[]func(*proof.Report) error{good, missing}, 3, "varnishd is not installed"},
		"failure outweighs missing":   {[]func(*proof.Report) error{missing, bad}, 1, "does not hold"},
		"an error shows nothing":      {[]func(*proof.Report) error{broken}, 1, "the fleet did not start"},
		"no claim is no proof either": {[]func(*proof.Report) error{func(*proof.Report) error { return nil }}, 1, "claimed nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			var list []proof.Experiment
			for i, run := range c.experiments {
				list = append(list, experiment(fmt.Sprint("e", i), run))
			}
			if _, status, out := prove(t, t.TempDir(), "", list...); status != c.status || !strings.Contains(out, c.says) {
				t.Errorf("status %d, want %d; output:\n%s", status, c.status, out)
			}
		})
	}
}

func TestOneExperimentReplacesOnlyItsOwnPart(t *testing.T) {
	dir := t.TempDir()
	prove(t, dir, "", experiment("a", bad), experiment("b", good))
	record, status, _ := prove(t, dir, "a", experiment("a", good), experiment("b", broken))
	if len(record.Parts) != 2 || status != 0 {
		t.Errorf("%+v", record)
	}
	run := proof.Runner{Results: dir, Out: &bytes.Buffer{}}
	if _, err := run.Run(t.Context(), proof.Pattern{ID: "R9"}, "nothing"); err == nil {
		t.Error("an unknown experiment is no error")
	}
}

func TestClaimsCompareAsTheySay(t *testing.T) {
	for _, c := range []struct {
		claim proof.Claim
		want  bool
	}{
		{proof.AtMost("", 2, 2, "ms"), true}, {proof.AtMost("", 2.001, 2, "ms"), false}, {proof.AtMost("", math.NaN(), 2, "ms"), false},
		{proof.AtLeast("", 1.3, 1.3, "×"), true}, {proof.AtLeast("", math.NaN(), 0, ""), false},
		{proof.Within("", 77.5*1.029, 77.5, 0.03, "ms"), true}, {proof.Within("", 77.5*0.96, 77.5, 0.03, "ms"), false},
		{proof.Exactly("", 1, 1, ""), true}, {proof.Exactly("", 2, 1, ""), false},
	} {
		if c.claim.Holds != c.want {
			t.Errorf("%+v: want %v", c.claim, c.want)
		}
	}
}

func TestThePageShowsWhatTheRecordsHold(t *testing.T) {
	dir := t.TempDir()
	prove(t, dir, "", experiment("a", func(r *proof.Report) error {
		r.Measured("requests", 12345, "")
		r.Table(proof.Table{Title: "by replica", Columns: []string{"replica", "a|b"}, Rows: [][]string{{"one", "2"}}})
		r.Note("measured with %d rounds", 5)
		if err := r.Chart("lost", chart.Bars{Title: "lost"}); err != nil {
			return err
		}
		return bad(r)
	}), experiment("b", missing))
	reasons, _ := json.Marshal(map[string]string{"R9/a/p99": "the disk is slow"})
	if err := os.WriteFile(filepath.Join(dir, "reasons.json"), reasons, 0o644); err != nil {
		t.Fatal(err)
	}
	page, err := proof.Document(dir, "../x")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| ✗ | p99 | ≤ 2 ms | 5 ms – the disk is slow |", "| requests | 12,345 |", `| replica | a\|b |`, "![R9-lost](../x/R9-lost.svg)",
		"measured with 5 rounds", "varnishd is not installed", "[r9.md](r9.md)", "0 of 1",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in\n%s", want, page)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "R9-lost.svg")); err != nil {
		t.Error(err)
	}
}

func TestWithoutRecordsThePageSaysSo(t *testing.T) {
	page, err := proof.Document(t.TempDir(), ".")
	if err != nil || !strings.Contains(page, "No results yet") {
		t.Errorf("%q, %v", page, err)
	}
}

func TestQuickRunsAreNeverPublished(t *testing.T) {
	dir := t.TempDir()
	run := proof.Runner{Results: dir, Quick: true, Out: &bytes.Buffer{}}
	if _, err := run.Run(t.Context(), proof.Pattern{ID: "R9", Experiments: []proof.Experiment{experiment("a", good)}}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := proof.Document(dir, "."); err == nil {
		t.Error("published")
	}
}
