// Command local runs the fleet on one machine, without Docker: the serving path,
// and the groups of pods that are asked for. Every program is built and started as a real process under its own
// name, that can be looked at, killed, paused and restarted.
//
//	go run ./infra/local up [-d] [GROUP]   build, start, and show the logs; -d: in the background
//	go run ./infra/local status            the table again
//	go run ./infra/local kill dictionary-2 and see that nobody notices
//	go run ./infra/local down
//
// State lies in .flotilla at the root of the tree: binaries, certificates, logs,
// fleet.json, endpoint files and the control socket. Nothing else is written.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/flotilla-dev/flotilla/infra/local/internal/control"
	"github.com/flotilla-dev/flotilla/infra/local/internal/topology"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitDown   = 3 // status: nothing is running
)

func main() {
	os.Exit(run(theFleet(), os.Args[1:]))
}

// run executes the command line with the output that this process has.
func run(what definition, args []string) int {
	if isDetached() {
		out := newBackground()
		return execute(what, args, out, out)
	}
	return execute(what, args, os.Stdout, os.Stderr)
}

// definition is a fleet that can be run.
type definition struct {
	table   []topology.Service
	choose  func(groups []string) ([]topology.Service, error) // of the table
	common  map[string]string
	prepare func(dir string) func(context.Context) error // see fleet.Config.Prepare
}

func theFleet() definition { return definition{table(), choose, common(), prepare} }

// grammar is the command line.
type grammar struct {
	Root string `help:"Root of the tree (default: the directory with go.work above this one)." env:"FLOTILLA_ROOT" placeholder:"DIR"`
	Dir  string `help:"State of the fleet (default: .flotilla at the root)." env:"FLOTILLA_DIR" placeholder:"DIR"`

	Up       upCommand       `cmd:"" help:"Build and start the fleet."`
	Down     downCommand     `cmd:"" help:"Stop the fleet, or clean up after a killed runner."`
	Status   statusCommand   `cmd:"" help:"Show the running fleet."`
	Logs     logsCommand     `cmd:"" help:"Show what processes wrote."`
	Kill     killCommand     `cmd:"" help:"Send a signal to a process: SIGKILL, unless told otherwise."`
	Pause    nameCommand     `cmd:"" help:"Stop a process with SIGSTOP: it keeps its ports and answers nobody."`
	Resume   nameCommand     `cmd:"" help:"Let a paused process go on."`
	Restart  nameCommand     `cmd:"" help:"Restart a process, or all of a service, one after the other."`
	Scale    scaleCommand    `cmd:"" help:"Change the number of replicas of a service."`
	Topology topologyCommand `cmd:"" help:"Show what there is to start."`
}

// session is what commands work with.
type session struct {
	definition
	root, dir string
	command   string // the chosen one
	out, errs io.Writer
}

func (s session) client() *control.Client { return control.NewClient(s.dir) }
func (s session) say(text string)         { fmt.Fprintln(s.out, text) }

func execute(what definition, args []string, stdout, stderr io.Writer) int {
	var line grammar
	ended := -1 // kong has printed help and wants to exit
	parser, err := kong.New(&line, kong.Name("local"), kong.Description("Runs the fleet on this machine."),
		kong.Vars{"groups": groupNames()}, kong.Writers(stdout, stderr), kong.Exit(func(code int) { ended = code }))
	if err != nil {
		fmt.Fprintln(stderr, "local:", err)
		return exitFailed
	}
	chosen, err := parser.Parse(args)
	if ended >= 0 {
		return ended
	}
	if err != nil {
		fmt.Fprintf(stderr, "local: %v; --help lists the commands\n", err)
		return exitUsage
	}
	root, dir, err := places(line.Root, line.Dir)
	if err != nil {
		fmt.Fprintln(stderr, "local:", err)
		return exitFailed
	}
	chosen.BindTo(context.Background(), (*context.Context)(nil))
	err = chosen.Run(session{definition: what, root: root, dir: dir, command: chosen.Selected().Name, out: stdout, errs: stderr})
	return exitCode(err, stderr)
}

func exitCode(err error, stderr io.Writer) int {
	var code exit
	var wrong usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &wrong):
		fmt.Fprintln(stderr, "local:", err)
		return exitUsage
	case errors.Is(err, control.ErrDown):
		fmt.Fprintln(stderr, "local: nothing is running; `up` starts the fleet")
	default:
		fmt.Fprintln(stderr, "local:", err)
	}
	return exitFailed
}

// usageError is a mistake in the command line.
type usageError struct{ error }

// exit is an exit code about which everything has been said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }
