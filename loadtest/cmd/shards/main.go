// Command shards shows what sharding functions and keys do, without a fleet.
//
//	go run ./loadtest/cmd/shards move -from 10 -to 11              which share of the keys moves
//	go run ./loadtest/cmd/shards load -shards 10 -popular 50       how full the fullest shard is, half of all requests being for one key
//	go run ./loadtest/cmd/shards key -key country+path -client 203.0.113.9 /index.html?t=1 /index.html?t=2
//
// key prints the key of each target, quoted, and its shard. Fields of the request are given by -header "Name: value", again
// and again. The exit status is 0, or 2 for wrong arguments, with a word about what is wrong.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/flotilla-dev/flotilla/loadtest/placing"
)

const exitUsage = 2

// The bounds of arguments.
const (
	maxShards = 1000
	maxKeys   = 1_000_000
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	commands := map[string]func([]string, io.Writer, io.Writer) error{"move": move, "load": load, "key": key}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprintln(stderr, "shards: want move, load or key, and -h after it for its arguments")
		return exitUsage
	}
	switch err := commands[args[0]](args[1:], stdout, stderr); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return exitUsage // the flag package has said what is wrong
	case err != nil:
		fmt.Fprintf(stderr, "shards %s: %v\n", args[0], err)
		return exitUsage
	}
	return 0
}

var errUsage = errors.New("wrong arguments")

// parse reads flags, and allows arguments after them where the command has any.
func parse(f *flag.FlagSet, args []string, stderr io.Writer, more bool) error {
	f.SetOutput(stderr)
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if f.NArg() > 0 && !more {
		return fmt.Errorf("%q is no argument of it", f.Arg(0))
	}
	return nil
}

// between is an error for a number that is out of bounds.
func between(name string, value, least, most int) error {
	if value < least || value > most {
		return fmt.Errorf("-%s %d: want %d to %d", name, value, least, most)
	}
	return nil
}

func move(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("shards move", flag.ContinueOnError)
	from, to := f.Int("from", 10, "shards before"), f.Int("to", 11, "shards after: the last ones in the list join")
	keys := f.Int("keys", 100_000, "how many are placed")
	if err := parse(f, args, stderr, false); err != nil {
		return err
	}
	if err := errors.Join(between("from", *from, 1, maxShards), between("to", *to, *from+1, maxShards), between("keys", *keys, 1, maxKeys)); err != nil {
		return err
	}
	few, err := placing.Functions(placing.Shards(*from))
	if err != nil {
		return err
	}
	many, err := placing.Functions(placing.Shards(*to))
	if err != nil {
		return err
	}
	all := placing.Targets(*keys)
	out := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "function\tkeys that move\tbetween shards that stay")
	for i, function := range few {
		moved, needless := placing.Moved(function.Place(all), many[i].Place(all), *from)
		fmt.Fprintf(out, "%s\t%s\t%s\n", function.Name, percent(moved, *keys), percent(needless, *keys))
	}
	return out.Flush()
}

func load(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("shards load", flag.ContinueOnError)
	n, keys := f.Int("shards", 10, "how many"), f.Int("keys", 100_000, "how many requests are placed")
	popular := f.Int("popular", 0, "how many percent of the requests are for one key")
	if err := parse(f, args, stderr, false); err != nil {
		return err
	}
	if err := errors.Join(between("shards", *n, 1, maxShards), between("keys", *keys, 1, maxKeys), between("popular", *popular, 0, 100)); err != nil {
		return err
	}
	servers := placing.Shards(*n)
	functions, err := placing.Functions(servers)
	if err != nil {
		return err
	}
	all := placing.Popular(placing.Targets(*keys), *popular)
	out := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "function\tthe fullest shard, beside the mean")
	for _, function := range functions {
		fmt.Fprintf(out, "%s\t%.2f\n", function.Name, placing.Fullest(function.Place(all), servers))
	}
	return out.Flush()
}

func percent(part, all int) string { return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(all)) }
