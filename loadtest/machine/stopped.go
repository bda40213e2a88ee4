package machine

import (
	"fmt"
	"os"
)

// Stopped tells whether all threads of a process stand still, as after SIGSTOP: the
// signal reaches one after the other. One that the kernel does not interrupt, such as the
// parent of a child that was stopped between its fork and its exec, runs no instruction
// of its own before it has stopped, too.
func Stopped(pid int) (bool, error) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(dir)
	if err != nil {
		return false, ErrUnsupported
	}
	for _, thread := range threads {
		line, err := os.ReadFile(dir + "/" + thread.Name() + "/stat")
		if err != nil {
			continue // it ended since
		}
		s, err := parseStat(line)
		if err != nil {
			return false, err
		}
		if s.state != 'T' && s.state != 'D' {
			return false, nil
		}
	}
	return true, nil
}
