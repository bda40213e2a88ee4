package notify

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// process is what is known of one.
type process struct {
	pid, parent int
	name        string
	started     time.Duration // since boot; 0: not known
}

// settle is how old a process must be that is found by its name. A younger one
// may not have got to its signal handler, and SIGHUP would end it. A pid file says
// that itself by being there.
const settle = time.Second

// find returns the one process that is meant.
func (n *Notifier) find() (process, error) {
	if n.PIDFile == "" {
		return n.byName()
	}
	p, err := n.byFile()
	if err != nil {
		return process{}, err
	}
	if n.Process != "" && p.name != "" && !p.called(n.Process) {
		return process{}, fmt.Errorf("process %d of the pid file is called %s, not %s", p.pid, p.name, n.Process)
	}
	return p, nil
}

func (n *Notifier) byFile() (process, error) {
	file, err := os.Open(n.PIDFile)
	if errors.Is(err, os.ErrNotExist) {
		return process{}, errors.New("there is no pid file")
	}
	if err != nil {
		return process{}, errors.New("the pid file cannot be read")
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 64))
	if err != nil {
		return process{}, errors.New("the pid file cannot be read")
	}
	pid, err := parsePID(string(text))
	if err != nil {
		return process{}, err
	}
	if err := forbidden(pid); err != nil {
		return process{}, err
	}
	p, err := look(pid)
	if err != nil {
		return process{}, fmt.Errorf("process %d of the pid file has ended", pid)
	}
	info, err := file.Stat()
	if err != nil {
		return process{}, errors.New("the pid file cannot be read")
	}
	// The clock of the file and that of the process are compared by their age, with
	// a second for the roughness of both.
	if age := sinceBoot() - p.started; p.started != 0 && time.Since(info.ModTime()) > age+time.Second {
		return process{}, fmt.Errorf("process %d is younger than the pid file, which was another one's", pid)
	}
	return p, nil
}

// byName finds the process whose parent does not have the name too: the master,
// where there are workers.
func (n *Notifier) byName() (process, error) {
	all, err := list()
	if err != nil {
		return process{}, err
	}
	named := map[int]process{}
	for _, p := range all {
		if p.called(n.Process) && forbidden(p.pid) == nil {
			named[p.pid] = p
		}
	}
	var found []process
	for _, p := range named {
		if _, ours := named[p.parent]; !ours {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 0:
		return process{}, fmt.Errorf("no process is called %s", n.Process)
	case len(found) > 1:
		slices.SortFunc(found, func(a, b process) int { return a.pid - b.pid })
		return process{}, fmt.Errorf("processes %d and %d are both called %s: a pid file would tell which one is meant", found[0].pid, found[1].pid, n.Process)
	case sinceBoot()-found[0].started < settle:
		return process{}, fmt.Errorf("process %d has only just started", found[0].pid)
	}
	return found[0], nil
}

// nameLimit is how much of a name the kernel keeps.
const nameLimit = 15

// called tells whether the process has the name: by the kernel, which keeps the
// beginning of it, or by its own first argument.
func (p process) called(name string) bool {
	if len(name) <= nameLimit {
		return p.name == name
	}
	return p.name == name[:nameLimit] && filepath.Base(firstArgument(p.pid)) == name
}

// forbidden returns an error for the processes that are never signalled.
func forbidden(pid int) error {
	switch pid {
	case 1:
		return errors.New("process 1 is never signalled: it holds the PID namespace")
	case os.Getpid():
		return errors.New("the process is this one: is the PID namespace shared?")
	}
	return nil
}

// parsePID reads a number on a line, as pid files have it.
func parsePID(text string) (int, error) {
	line, _, _ := strings.Cut(text, "\n")
	pid, err := strconv.ParseInt(strings.TrimSpace(line), 10, 32)
	if err != nil || pid < 1 {
		return 0, errors.New("the pid file has no number of a process")
	}
	return int(pid), nil
}
