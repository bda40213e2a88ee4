// Command prove measures the claims of the patterns.
//
//	go run ./loadtest/cmd/prove list            what there is
//	go run ./loadtest/cmd/prove R3              all experiments of a pattern
//	go run ./loadtest/cmd/prove R3/herd         one of them
//	go run ./loadtest/cmd/prove all             everything
//	go run ./loadtest/cmd/prove docs            make docs/results.md of the records
//	go run ./loadtest/cmd/prove --quick R3      short rounds: shows that it works, proves nothing
//
// It prints each claim, what was measured and the verdict, and keeps a record and
// charts in loadtest/results. Exit status: 0 all claims hold; 1 one does not; 3 one
// could not be run here, and it says what is missing; 2 wrong arguments.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/flotilla-dev/flotilla/loadtest/experiments"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
)

const exitUsage = 2

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("prove", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "short rounds, kept in a temporary directory")
	results := flags.String("results", "", "`directory` of records and charts; loadtest/results when empty")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	root, err := findRoot()
	if err != nil {
		fmt.Fprintln(stderr, "prove:", err)
		return exitUsage
	}
	if *results == "" {
		*results = filepath.Join(root, "loadtest", "results")
		if *quick {
			*results = filepath.Join(os.TempDir(), "flotilla-prove-quick")
		}
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(stderr, "prove: want a pattern, pattern/experiment, all, list or docs")
		return exitUsage
	}
	c := command{runner: proof.Runner{Root: root, Results: *results, Quick: *quick, Out: stdout}, stderr: stderr}
	switch flags.Arg(0) {
	case "list":
		list(stdout)
		return 0
	case "docs":
		return c.docs()
	}
	return c.prove(ctx, flags.Args())
}

type command struct {
	runner proof.Runner
	stderr io.Writer
}

func (c command) docs() int {
	page, err := proof.Document(c.runner.Results, "../loadtest/results")
	if err == nil {
		err = os.WriteFile(filepath.Join(c.runner.Root, "docs", "results.md"), []byte(page), 0o644)
	}
	if err != nil {
		fmt.Fprintln(c.stderr, "prove:", err)
		return 1
	}
	return 0
}

func (c command) prove(ctx context.Context, wanted []string) int {
	type job struct {
		pattern proof.Pattern
		only    string
	}
	var jobs []job
	for _, name := range wanted {
		id, only, _ := strings.Cut(name, "/")
		found := false
		for _, p := range experiments.All() {
			if strings.EqualFold(p.ID, id) || id == "all" {
				jobs = append(jobs, job{p, only})
				found = true
			}
		}
		if !found {
			fmt.Fprintf(c.stderr, "prove: no pattern %q; prove list tells what there is\n", id)
			return exitUsage
		}
	}
	var records []proof.Record
	for _, j := range jobs {
		record, err := c.runner.Run(ctx, j.pattern, j.only)
		if err != nil {
			fmt.Fprintln(c.stderr, "prove:", err)
			return 1
		}
		records = append(records, record)
	}
	if c.runner.Quick {
		fmt.Fprintln(c.runner.Out, "\nquick: these numbers prove nothing.")
	}
	fmt.Fprintf(c.runner.Out, "\nrecords: %s\n", c.runner.Results)
	return proof.Summary(c.runner.Out, records)
}

func list(out io.Writer) {
	for _, p := range experiments.All() {
		fmt.Fprintf(out, "%s  %s\n", p.ID, p.Title)
		for _, e := range p.Experiments {
			fmt.Fprintf(out, "    %-28s %s\n", p.ID+"/"+e.Name, e.Question)
		}
	}
}

// findRoot walks up to the workspace.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.work above: run it inside the tree")
		}
		dir = parent
	}
}
