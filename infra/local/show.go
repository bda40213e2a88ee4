package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
)

// show prints a fleet, for programs or for people; with hints, what to try.
func show(out io.Writer, f state.Fleet, asJSON, hints bool) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(f)
	}
	tw := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "\nPROCESS\tSTATE\tPID\tDATA\tADMIN\tMEMORY\tRESTARTS\t")
	total := int64(0)
	for _, p := range f.Processes {
		total += p.Memory
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", p.Instance, p.State, number(p.PID), p.Data, dash(p.Admin), mebibytes(p.Memory), p.Restarts, p.Reason)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d processes, %s, the fleet is %s", len(f.Processes), mebibytes(total), f.State)
	if f.ReadyTime > 0 {
		fmt.Fprintf(out, "; built in %.1fs, ready %.1fs later", f.BuildTime, f.ReadyTime)
	}
	fmt.Fprintln(out)
	if f.State != "ready" && f.State != "degraded" {
		return nil
	}
	fmt.Fprintln(out)
	for _, name := range slices.Sorted(maps.Keys(f.URLs)) {
		fmt.Fprintf(out, "  %-11s %s\n", name, f.URLs[name])
	}
	if hints {
		try(out, f)
	}
	return nil
}

// try says what to do next.
func try(out io.Writer, f state.Fleet) {
	run := "go run ./infra/local"
	fmt.Fprintf(out, `
try
  curl --cacert %s %s
  %s kill dictionary-2        and the same curl again: nothing is lost
  %s restart dictionary       one after the other
  %s status · logs -f cache · scale dictionary 5 · pause cache-1 · down
`, relative(f.CA), f.URLs["dictionary"], run, run, run)
}

// relative shortens a path under the working directory.
func relative(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(short, "..") {
		return path
	}
	return short
}

func showTopology(out io.Writer, r Resolved) error {
	tw := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "SERVICE\tREPLICAS\tNEEDS\tPACKAGE")
	for _, s := range r.Services {
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\n", s.Name, s.Count, dash(strings.Join(s.Needs, " ")), s.Package)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, p := range r.Processes {
		fmt.Fprintf(out, "\n%s\n", p.Name)
		for _, name := range slices.Sorted(maps.Keys(p.Env)) {
			fmt.Fprintf(out, "  %s=%s\n", name, p.Env[name])
		}
	}
	return nil
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func mebibytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
