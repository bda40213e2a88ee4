// Command searchreshard moves the documents of a search to another layout while they are searched and written; see package reshard.
//
//	searchreshard -kafka host:port -layout search.yaml plan
//	searchreshard -kafka host:port -layout search.yaml -roots host:port/adminport,… run
//	searchreshard -kafka host:port -layout search.yaml status
//	searchreshard -kafka host:port -layout search.yaml abort
//
// The file is that of the roots: it names the control topic and, as next, the layout to move to. run can be ended at any moment and begun
// again; it goes on where the move is. Once nothing is sealed yet, abort leads back.
package main

import (
	"context"
	"encoding/json"
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

	"github.com/flotilla-dev/flotilla/services/search/reshard"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "searchreshard:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, diagnostics io.Writer) error {
	flags := flag.NewFlagSet("searchreshard", flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	kafka := flags.String("kafka", "127.0.0.1:9192", "brokers of the log: host:port,…")
	file := flags.String("layout", "", "layout file of the roots, with control and next")
	roots := flags.String("roots", "", "all roots: host:port/adminport,… or dns:name:port; each has to know the move before writes are stopped")
	level := flags.Int64("level", 1000, "most records that the copy, or a leaf, is behind when writes are stopped")
	linger := flags.Duration("linger", 10*time.Second, "for how long the old log is looked at behind the switch")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *file == "" || *level < 1 || *linger <= 0 {
		return errors.New("want -layout FILE, and one of plan, run, status, abort")
	}
	log := slog.New(slog.NewTextHandler(diagnostics, nil))
	s := reshard.Settings{Brokers: strings.Split(*kafka, ","), LayoutFile: *file, Roots: *roots, Level: *level, Linger: *linger, Log: log}
	d, err := s.Driver(flags.Arg(0) == "run")
	if err != nil {
		return err
	}
	defer d.Close()
	switch flags.Arg(0) {
	case "plan":
		return plan(ctx, d, out)
	case "run":
		if err := plan(ctx, d, out); err != nil {
			return err
		}
		if err := d.Run(ctx); err != nil {
			return err
		}
		return status(ctx, d, out)
	case "status":
		return status(ctx, d, out)
	case "abort":
		return d.Abort(ctx)
	}
	return fmt.Errorf("%.40q is unknown: want plan, run, status or abort", flags.Arg(0))
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
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(s)
}
