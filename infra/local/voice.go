package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/flotilla-dev/flotilla/infra/local/internal/logs"
)

// voice is how the runner speaks: progress, on a terminal in one line that
// changes, until the fleet is ready; then the table; then, in the foreground,
// what the processes write.
type voice struct {
	out      io.Writer
	terminal bool
	style    logs.Style
	quiet    bool // nothing but the result

	mu      sync.Mutex    // guards all below
	status  bool          // the cursor is in a line that changes
	console *logs.Console // once the fleet is ready
}

// say prints a line.
func (v *voice) say(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.quiet {
		return
	}
	if v.console != nil {
		v.console.Say(text)
		return
	}
	v.clear()
	fmt.Fprintln(v.out, text)
}

// built shows the progress of the build, where it can be wiped out again.
func (v *voice) built(compiled int, last string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.quiet || !v.terminal {
		return
	}
	v.clear()
	fmt.Fprintf(v.out, "building: %d packages compiled, %.50s", compiled, last[strings.LastIndexByte(last, '/')+1:])
	v.status = true
}

func (v *voice) clear() {
	if v.status {
		fmt.Fprint(v.out, "\r\x1b[K")
		v.status = false
	}
}

// ready prints the result and, in the foreground, begins with the logs.
func (v *voice) ready(result func(io.Writer) error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.clear()
	if b, detached := v.out.(*background); detached {
		b.leave(result)
		return
	}
	if err := result(v.out); err != nil {
		fmt.Fprintln(v.out, err)
	}
	if !v.quiet {
		fmt.Fprint(v.out, "\nCtrl-C stops the fleet. The logs follow.\n\n")
		v.console = logs.NewConsole(v.out, v.style)
	}
}

// observe shows the lines of a replica from the moment the fleet is ready.
func (v *voice) observe(instance string) func(line []byte) {
	return func(line []byte) {
		v.mu.Lock()
		console := v.console
		v.mu.Unlock()
		if console != nil {
			console.Observe(instance)(line)
		}
	}
}

// close waits until everything that was said is shown.
func (v *voice) close() {
	v.mu.Lock()
	console := v.console
	v.mu.Unlock()
	if console != nil {
		console.Close()
	}
}

// nameWidth is the width of the names in front of log lines.
const nameWidth = len("dictionary-3")

func style(out io.Writer) logs.Style {
	return logs.Style{Colour: isTerminal(out) && os.Getenv("NO_COLOR") == "", Width: nameWidth}
}

// isTerminal tells whether a person reads this.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
