package machine

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Started is when a process began, after the boot of the machine, in steps of 10 ms.
func Started(pid int) (time.Duration, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, ErrUnsupported
	}
	s, err := parseStat(line)
	return time.Duration(s.started) * tick, err
}

// Uptime is how long ago the machine was booted, in steps of 10 ms.
func Uptime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, ErrUnsupported
	}
	seconds, _, _ := strings.Cut(string(text), " ")
	d, err := time.ParseDuration(seconds + "s")
	if err != nil {
		return 0, fmt.Errorf("parse /proc/uptime: %w", err)
	}
	return d, nil
}
