package notify

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// resolution is that of the start of a process: the kernel tells it in hundredths
// of a second, on every architecture.
const resolution = 10 * time.Millisecond

// sinceBoot is the clock by which the kernel tells when a process has started.
func sinceBoot() time.Duration {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds*100) * resolution
}

// look returns what the kernel tells of a process that has not ended.
func look(pid int) (process, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, err
	}
	return parseStat(string(text))
}

// list returns all processes.
func list() ([]process, error) {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(names) == 0 {
		return nil, errors.New("processes cannot be listed")
	}
	var all []process
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		if p, err := look(pid); err == nil { // else it has ended meanwhile
			all = append(all, p)
		}
	}
	return all, nil
}

func firstArgument(pid int) string {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), "\x00")
	return first
}

// parseStat reads /proc/<pid>/stat (proc(5)): number (name) state parent … start.
// A name may have spaces and parentheses itself, so that the last one counts.
func parseStat(text string) (process, error) {
	broken := errors.New("the state of a process cannot be read")
	number, rest, found := strings.Cut(text, " (")
	end := strings.LastIndexByte(rest, ')')
	if !found || end < 0 {
		return process{}, broken
	}
	fields := strings.Fields(rest[end+1:])
	if len(fields) < 20 {
		return process{}, broken
	}
	pid, err1 := strconv.Atoi(number)
	parent, err2 := strconv.Atoi(fields[1])
	ticks, err3 := strconv.ParseInt(fields[19], 10, 64)
	if errors.Join(err1, err2, err3) != nil || ticks < 0 || ticks > 1<<53 {
		return process{}, broken
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return process{}, errors.New("the process has ended")
	}
	return process{pid: pid, parent: parent, name: rest[:end], started: time.Duration(ticks) * resolution}, nil
}
