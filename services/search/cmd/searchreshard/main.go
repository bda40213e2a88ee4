// Command searchreshard moves the documents of a search to another layout while they are searched and written; see package reshard, and
// its help for how it is called:
//
//	searchreshard -help
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/control"
	"github.com/flotilla-dev/flotilla/services/search/doclog"
	"github.com/flotilla-dev/flotilla/services/search/reshard"
)

// The ways in which the command ends.
const (
	done    = 0
	failed  = 1 // it may be tried again
	misused = 2 // by its arguments, or the layout file
	taken   = 3 // another one goes on with the move, or has aborted it
)

const help = `usage: searchreshard [flags] plan|run|status|abort

Moves the documents of a search to the layout that the layout file of its roots names as next, while they are searched and written.

  plan    counts which documents get another shard; it changes nothing
  run     moves them, or goes on with a move whose driver has ended; it can be ended at any moment and started again.
          Writes are held for some seconds near the end. If it is ended behind the seal they stay so until it is run again.
  status  shows the state of the control topic, and what it means; it changes nothing
  abort   leads back to the layout of now, as long as nothing is sealed. The next move needs a topic that is new.

exit status: 0 done, 1 it failed and may be tried again, 2 the arguments or the layout file are wrong, 3 another one has the move, or aborted it

flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A misuse is an error that another try does not mend.
type misuse struct{ error }

func run(ctx context.Context, args []string, out, diagnostics io.Writer) int {
	err := command(ctx, args, out, diagnostics)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return done
	}
	fmt.Fprintln(diagnostics, "searchreshard:", err)
	switch wrong := new(misuse); {
	case errors.As(err, wrong):
		return misused
	case errors.Is(err, control.ErrTaken):
		return taken
	}
	return failed
}

// options are the arguments.
type options struct {
	reshard.Settings
	command string
	timeout time.Duration
}

func parse(args []string, diagnostics io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("searchreshard", flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	flags.Usage = func() { fmt.Fprint(diagnostics, help); flags.PrintDefaults() }
	kafka := flags.String("kafka", "127.0.0.1:9192", "brokers of the log: host:port,…")
	flags.StringVar(&o.LayoutFile, "layout", "", "layout file of the roots, with control and next; required")
	flags.StringVar(&o.Roots, "roots", "", "run: all roots, host:port/adminport,… or dns:name:port/adminport; each has to know the move before writes are stopped")
	flags.Int64Var(&o.Level, "level", 1000, "run: most records that the copy, or a leaf, is behind when writes are stopped")
	flags.DurationVar(&o.Linger, "linger", 10*time.Second, "run: for how long the old log is looked at behind the switch")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "plan, status, abort: for the whole")
	for len(args) > 0 { // flags may be before and behind the command
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, misuse{err}
		}
		if args = flags.Args(); len(args) == 0 {
			break
		}
		if o.command != "" {
			return nil, misuse{fmt.Errorf("%.40q is one argument too many", args[0])}
		}
		o.command, args = args[0], args[1:]
	}
	o.Brokers = strings.Split(*kafka, ",")
	o.Log = slog.New(slog.NewTextHandler(diagnostics, nil))
	return o, o.check()
}

// check tells what is missing.
func (o *options) check() error {
	switch o.command {
	case "plan", "run", "status", "abort":
	case "":
		return misuse{errors.New("want one of plan, run, status, abort; -help tells more")}
	default:
		return misuse{fmt.Errorf("%.40q is unknown: want plan, run, status or abort", o.command)}
	}
	switch {
	case o.LayoutFile == "":
		return misuse{errors.New("-layout is required: the layout file of the roots")}
	case o.command == "run" && o.Roots == "":
		return misuse{errors.New("-roots is required: a root that does not know of the move would write to a log that has ended")}
	case doclog.Check(o.Brokers) != nil:
		return misuse{fmt.Errorf("-kafka: %w", doclog.Check(o.Brokers))}
	case o.Level < 1 || o.Linger <= 0 || o.timeout <= 0:
		return misuse{errors.New("want more than 0 as -level, -linger and -timeout")}
	}
	return nil
}

func command(ctx context.Context, args []string, out, diagnostics io.Writer) error {
	o, err := parse(args, diagnostics)
	if err != nil {
		return err
	}
	d, err := o.Driver(o.command == "run")
	if err != nil {
		return misuse{err}
	}
	defer d.Close()
	if d.Layout.Control == "" {
		return misuse{errors.New("the layout file names no control topic: without it roots do not follow a move")}
	}
	if d.Layout.Next == nil && (o.command == "plan" || o.command == "run") {
		return misuse{errors.New("the layout file has no next layout to move to")}
	}
	if o.command == "run" {
		return move(ctx, d, out)
	}
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	switch o.command {
	case "plan":
		err = plan(limited, d, out)
	case "status":
		err = status(limited, d, out)
	case "abort":
		err = d.Abort(limited)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not done in %s: are the brokers reached? %w", o.timeout, err)
	}
	return err
}

func move(ctx context.Context, d *reshard.Driver, out io.Writer) error {
	if err := d.Run(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("ended before the move was: the same command goes on with it; status says whether documents are written meanwhile: %w", err)
		}
		return err
	}
	return status(ctx, d, out)
}

func plan(ctx context.Context, d *reshard.Driver, out io.Writer) error {
	p, err := d.Plan(ctx)
	if err != nil {
		return err
	}
	return p.Print(out)
}

func status(ctx context.Context, d *reshard.Driver, out io.Writer) error {
	s, err := d.Status(ctx)
	if err != nil {
		return err
	}
	return reshard.Print(s, d.Layout, out)
}
