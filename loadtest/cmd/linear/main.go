// Command linear checks a kept history again.
//
//	go run ./loadtest/cmd/linear check history.jsonl
//	go run ./loadtest/cmd/linear check -limit 10m -dir evidence history.jsonl
//
// Package linear describes the file and the models. Exit status: 0 some order explains
// the history; 1 none does, or it was not decided in time; 2 wrong arguments, or no history.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/linear"
)

const exitUsage = 2

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("linear check", flag.ContinueOnError)
	flags.SetOutput(stderr)
	limit := flags.Duration("limit", time.Minute, "how long the checker may take")
	dir := flags.String("dir", "", "`directory` under which a bad history and its drawing are kept; that of temporary files when empty")
	if len(args) == 0 || args[0] != "check" {
		fmt.Fprintln(stderr, "linear: want check [-limit duration] [-dir directory] history.jsonl")
		return exitUsage
	}
	if err := flags.Parse(args[1:]); err != nil {
		return exitUsage
	}
	if flags.NArg() != 1 || *limit <= 0 {
		fmt.Fprintln(stderr, "linear check: want one file, and a limit above 0")
		return exitUsage
	}
	h, err := linear.ReadFile(flags.Arg(0))
	if err != nil {
		fmt.Fprintln(stderr, "linear check:", err)
		return exitUsage
	}
	begin := time.Now()
	if err := (linear.Checker{Limit: *limit, Dir: *dir}).Check(h); err != nil {
		fmt.Fprintln(stderr, "linear check:", err)
		return 1
	}
	fmt.Fprintf(stdout, "%s: %d operations on %d keys have an order that explains them (%s)\n", h.Model, len(h.Operations), len(h.Keys()), time.Since(begin).Round(time.Millisecond))
	return 0
}
