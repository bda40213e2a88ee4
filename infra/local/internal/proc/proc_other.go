//go:build unix && !linux

package proc

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Start identifies the start of a process, by the second.
func Start(pid int) (string, error) {
	return ps(pid, "lstart")
}

// Stopped tells whether a process is stopped.
func Stopped(pid int) bool {
	state, err := ps(pid, "state")
	return err != nil || strings.HasPrefix(state, "T")
}

// Memory is the resident memory in bytes; shared pages count fully.
func Memory(pid int) (int64, error) {
	text, err := ps(pid, "rss")
	if err != nil {
		return 0, err
	}
	kilobytes, err := strconv.ParseInt(text, 10, 64)
	return kilobytes << 10, err
}

func ps(pid int, column string) (string, error) {
	out, err := exec.Command("ps", "-o", column+"=", "-p", strconv.Itoa(pid)).Output()
	text := strings.TrimSpace(string(out))
	if err == nil && text == "" {
		err = errors.New("no such process")
	}
	return text, err
}

// Attributes makes a child lead a process group of its own. There is no signal
// of the parent's death here: the next up or down cleans up.
func Attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// Holder says which process listens on a port, where lsof is installed.
func Holder(network string, port int) string {
	out, err := exec.Command("lsof", "-nP", "-Fpc", fmt.Sprintf("-i%s:%d", strings.ToUpper(network), port)).Output()
	if err != nil {
		return ""
	}
	var pid, name string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		switch {
		case pid == "" && strings.HasPrefix(line, "p"):
			pid = line[1:]
		case name == "" && strings.HasPrefix(line, "c"):
			name = line[1:]
		}
	}
	if pid == "" {
		return ""
	}
	return fmt.Sprintf("process %s (%s)", pid, name)
}

// FirstEphemeral is the lowest port of outgoing connections.
func FirstEphemeral() int { return 49152 }
