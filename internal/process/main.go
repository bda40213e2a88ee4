package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/flotilla-dev/flotilla/internal/config"
)

// Exit codes of every program.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // wrong configuration or arguments: a restart mends nothing
)

// version is set when images are built, by -ldflags "-X …/process.version=…".
var version string

// Version is the version of the running program.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// Main is the main function of a program. It reads the configuration from the
// environment, runs until SIGTERM or SIGINT, and exits. Its arguments are
// --help, --help=json, --version, --healthcheck and the commands of the program.
func Main[C any](p Program, run func(context.Context, C) error) {
	os.Exit(execute(p, run, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

func execute[C any](p Program, run func(context.Context, C) error, args, environ []string, stdout, stderr io.Writer) int {
	env := environment(environ)
	if len(args) > 0 {
		return command[C](p, args, env, stdout, stderr)
	}
	cfg, warnings, err := config.Parse[C](p.Spec(), env)
	for _, warning := range warnings {
		fmt.Fprintf(stderr, "%s: warning: %s\n", p.Name, warning)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// The first signal begins the drain. From then on signals have their default
	// effect again, so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	return exitCode(p, run(ctx, cfg), stderr)
}

func exitCode(p Program, err error, stderr io.Writer) int {
	var wrong config.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return exitFailed
	}
}

func command[C any](p Program, args []string, env map[string]string, stdout, stderr io.Writer) int {
	var err error
	switch args[0] {
	case "--help", "-h", "help":
		err = help[C](p, stdout)
	case "--help=json":
		err = helpJSON[C](p, stdout)
	case "--version":
		_, err = fmt.Fprintln(stdout, p.Name, Version())
	case "--healthcheck":
		err = healthcheck(p, env)
	default:
		if own, known := p.Commands[args[0]]; known {
			err = own.Run(args[1:], stdout)
			break
		}
		fmt.Fprintf(stderr, "%s takes no argument %q: it is configured by environment variables; --help lists them\n", p.Name, args[0])
		return exitUsage
	}
	return exitCode(p, err, stderr)
}

func help[C any](p Program, out io.Writer) error {
	params, err := config.Describe[C](p.Spec())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s\n\nIt is configured by environment variables:\n\n", p.Name, p.About)
	if err := config.Table(out, params); err != nil {
		return err
	}
	if len(p.Renamed) > 0 {
		fmt.Fprint(out, "\nOld names, still read with a warning:\n\n")
		for _, old := range slices.Sorted(maps.Keys(p.Renamed)) {
			fmt.Fprintf(out, "%s is now %s\n", old, p.Renamed[old])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Commands)) {
		fmt.Fprintf(out, "\n%s %s %s\n", p.Name, name, p.Commands[name].About)
	}
	fmt.Fprint(out, "\nArguments: --help, --help=json, --version, --healthcheck (exit 0 when the running process is ready)\n")
	return nil
}

// Help is what --help=json prints.
type Help struct {
	Program string         `json:"program"`
	About   string         `json:"about"`
	Prefix  string         `json:"prefix"`
	Ports   []Port         `json:"ports"`
	Calls   []string       `json:"calls,omitempty"`
	Params  []config.Param `json:"parameters"`
	// Renamed maps old variables, still read with a warning, to today's.
	Renamed map[string]string `json:"renamed,omitempty"`
}

func helpJSON[C any](p Program, out io.Writer) error {
	params, err := config.Describe[C](p.Spec())
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(Help{p.Name, p.About, p.Prefix(), p.listeners(), p.Calls, params, p.Renamed})
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
