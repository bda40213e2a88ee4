// Command scattersim prints how long users wait for a request that is scattered over leaves, and which number of leaves is the best, for up to
// 1,000 of them.
//
//	go run ./loadtest/cmd/scattersim
//	go run ./loadtest/cmd/scattersim -wait 20ms -work 0 -overhead 0 -slow 0.01 -slow-by 200ms -replicas 2 -hedge 0.98 -budget 0.05
//	go run ./loadtest/cmd/scattersim -failure 0.01 -replicas 2
//
// The model is that of package loadtest/scattersim. The exit status is 0, or 2 for wrong arguments, with a word about what is wrong.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/scattersim"
)

const exitUsage = 2

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	c, leaves, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return exitUsage // the flag package has said what is wrong
	case err != nil:
		fmt.Fprintf(stderr, "scattersim: %v\n", err)
		return exitUsage
	}
	printTable(stdout, c, c.Sweep(leaves, c.Requests, 100))
	return 0
}

var errUsage = errors.New("wrong arguments")

func parse(args []string, stderr io.Writer) (scattersim.Config, []int, error) {
	c := scattersim.Config{}
	f := flag.NewFlagSet("scattersim", flag.ContinueOnError)
	f.SetOutput(stderr)
	list := f.String("leaves", "1,2,5,10,20,30,50,100,200,500,1000", "numbers of leaves, with commas between them")
	f.IntVar(&c.Requests, "calls", 300_000, "calls to simulate for each number of leaves; at least 100 requests")
	f.IntVar(&c.Replicas, "replicas", 1, "replicas of each leaf")
	f.Float64Var(&c.Rate, "rate", 0, "requests per second; 0: each begins when the one before has ended")
	f.DurationVar(&c.Gather, "gather", 50*time.Microsecond, "computing of the root for each call")
	f.DurationVar(&c.Overhead, "overhead", time.Millisecond, "computing of a leaf for each call")
	f.DurationVar(&c.Work, "work", 60*time.Millisecond, "computing of a request on one leaf that has everything")
	f.DurationVar(&c.Wait, "wait", 0, "waiting of each call, without computing")
	f.DurationVar(&c.Jitter, "jitter", 0, "mean of an exponentially distributed time on top of it")
	f.IntVar(&c.Cores, "cores", 0, "cores that root and leaves share; 0: each has its own")
	f.Float64Var(&c.Slow, "slow", 0.01, "share of the calls that are slow")
	f.DurationVar(&c.SlowBy, "slow-by", 200*time.Millisecond, "by how much they are")
	f.Float64Var(&c.Failure, "failure", 0, "share of the calls that fail")
	f.Float64Var(&c.Hedge, "hedge", 0, "quantile of the calls after which another replica is asked; 0: never")
	f.Float64Var(&c.Budget, "budget", 0.05, "share of extra calls for that")
	f.Uint64Var(&c.Seed, "seed", 1, "of what is random")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return c, nil, err
		}
		return c, nil, errUsage
	}
	if f.NArg() > 0 {
		return c, nil, fmt.Errorf("%q: want flags only", f.Arg(0))
	}
	leaves, err := numbers(*list)
	if err != nil {
		return c, nil, err
	}
	for _, c.Leaves = range leaves {
		one := c
		one.Requests = max(c.Requests/max(c.Leaves, 1), 1)
		if err := one.Check(); err != nil {
			return c, nil, err
		}
	}
	return c, leaves, nil
}

// maxRows bounds the table.
const maxRows = 100

func numbers(list string) ([]int, error) {
	var all []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("leaves: %q is no number", text)
		}
		all = append(all, n)
	}
	if len(all) > maxRows {
		return nil, fmt.Errorf("leaves: %d numbers, want at most %d", len(all), maxRows)
	}
	return all, nil
}

func printTable(out io.Writer, c scattersim.Config, rows []scattersim.Row) {
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "leaves\trequests\tp50\tp99\twaited for a slow call\tyield\tharvest\textra calls\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%.1f %%\t%.1f %%\t%.2f %%\t%.1f %%\t\n", r.Leaves, r.Requests, millis(r.Quantile(0.5)), millis(r.Quantile(0.99)),
			100*r.Slow, 100*r.Yield(), 100*r.Harvest, 100*r.Extra())
	}
	_ = w.Flush() // to the terminal
	half, _ := scattersim.Best(rows, 0.5)
	slowest, _ := scattersim.Best(rows, 0.99)
	fmt.Fprintf(out, "\nbest number of leaves: %d for the median, %d for the slowest 1 %%\n", half, slowest)
	if c.Rate == 0 {
		fmt.Fprintln(out, "(one request at a time)")
	}
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
