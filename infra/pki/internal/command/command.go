// Package command is the command line of pki.
package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/flotilla-dev/flotilla/infra/pki"
	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Exit codes, those of every program of the fleet.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const about = "makes the certificates of a development fleet"

// commandLine is the grammar. Defaults come from the environment.
type commandLine struct {
	Dir    dirCommand    `cmd:"" help:"Make or renew certificates in a directory."`
	Secret secretCommand `cmd:"" help:"Make or renew certificates in Secrets of this pod's namespace."`
	Show   showCommand   `cmd:"" help:"List the certificates of a directory."`
	Trust  trustCommand  `cmd:"" help:"Explain how to trust and un-trust the development CA. Changes nothing."`

	Version kong.VersionFlag `help:"Print the version."`
}

// Execute runs one command and returns the exit code.
func Execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	if len(args) == 1 && args[0] == "--help=json" {
		return report(helpJSON(stdout), stderr)
	}
	cfg, _, err := config.Parse[pki.Config](pki.Spec(), environment(environ))
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", pki.Program, err)
		return exitUsage
	}
	ended := -1 // kong prints help or the version and wants to exit
	parser, err := newParser(cfg, stdout, stderr, func(code int) { ended = code })
	if err != nil {
		return report(err, stderr)
	}
	chosen, err := parser.Parse(args)
	if ended >= 0 {
		return ended
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v; --help lists the commands\n", pki.Program, err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	chosen.BindTo(ctx, (*context.Context)(nil))
	chosen.BindTo(stdout, (*io.Writer)(nil))
	return report(chosen.Run(cfg), stderr)
}

func newParser(cfg pki.Config, stdout, stderr io.Writer, exit func(int)) (*kong.Kong, error) {
	return kong.New(&commandLine{},
		kong.Name(pki.Program), kong.Description(about+"."), kong.Help(help),
		kong.Writers(stdout, stderr), kong.Exit(exit),
		kong.Vars{"dir": cfg.Dir, "version": pki.Program + " " + process.Version()},
	)
}

// help adds the variables to the help of the whole program.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil || ctx.Selected() != nil {
		return err
	}
	params, err := config.Describe[pki.Config](pki.Spec())
	if err != nil {
		return err
	}
	fmt.Fprint(ctx.Stdout, "\nVariables of the environment, which flags override:\n\n")
	return config.Table(ctx.Stdout, params)
}

// helpJSON prints the shape that every program of the fleet prints. There are
// no ports: the program serves nothing.
func helpJSON(out io.Writer) error {
	params, err := config.Describe[pki.Config](pki.Spec())
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(process.Help{
		Program: pki.Program, About: about, Prefix: pki.Spec().Prefix,
		Ports: []process.Port{}, Calls: []string{"kubernetes API server: HTTPS (pki secret)"}, Params: params,
	})
}

func report(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "%s: %v\n", pki.Program, err)
	return exitFailed
}

func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	return env
}

type dirCommand struct {
	Dir  string `default:"${dir}" help:"Directory."`
	JSON bool   `help:"Print the result as JSON."`
}

func (c *dirCommand) Run(ctx context.Context, out io.Writer, cfg pki.Config) error {
	reports, err := pki.EnsureDir(ctx, c.Dir, cfg.Plan())
	if err != nil {
		return err
	}
	return print(out, reports, c.JSON)
}

type secretCommand struct {
	JSON bool `help:"Print the result as JSON."`
}

func (c *secretCommand) Run(ctx context.Context, out io.Writer, cfg pki.Config) error {
	if cfg.APIHost == "" {
		return fmt.Errorf("KUBERNETES_SERVICE_HOST is not set: pki secret runs in a pod of the cluster")
	}
	cluster, err := pki.InCluster(net.JoinHostPort(cfg.APIHost, cfg.APIPort), cfg.AccountDir)
	if err != nil {
		return err
	}
	defer cluster.HTTP.CloseIdleConnections()
	plan := cfg.Plan()
	plan.Namespace = cluster.Namespace
	reports, err := pki.Ensure(ctx, cluster, plan)
	if err != nil {
		return err
	}
	return print(out, reports, c.JSON)
}

type showCommand struct {
	Dir  string `default:"${dir}" help:"Directory."`
	JSON bool   `help:"Print the result as JSON."`
}

func (c *showCommand) Run(ctx context.Context, out io.Writer, cfg pki.Config) error {
	if _, err := os.Stat(c.Dir); err != nil {
		return fmt.Errorf("%w; pki dir makes it", err)
	}
	reports, err := pki.Show(ctx, pki.Dir(c.Dir), cfg.Plan())
	if err != nil {
		return err
	}
	return print(out, reports, c.JSON)
}

type trustCommand struct {
	Dir string `default:"${dir}" help:"Directory."`
}

func (c *trustCommand) Run(ctx context.Context, out io.Writer) error {
	if _, err := os.Stat(filepath.Join(c.Dir, pki.DevelopmentCA+".crt")); err != nil {
		return fmt.Errorf("there is no development CA yet: the first start of the fleet, or pki dir, makes it: %w", err)
	}
	return pki.Trust(ctx, out, c.Dir)
}

// print shows reports to people, or to programs.
func print(out io.Writer, reports []pki.Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(reports)
	}
	tw := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, r := range reports {
		until := "-"
		if !r.Expiry.IsZero() {
			until = r.Expiry.Format(time.DateOnly)
		}
		fmt.Fprintf(tw, "%s\t%s\tuntil %s\t%s\n", r.Name, r.Action, until, r.Reason)
	}
	return tw.Flush()
}
