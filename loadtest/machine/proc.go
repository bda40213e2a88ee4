package machine

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/<pid>/stat on every Linux that Go runs on (USER_HZ = 100).
const tick = 10 * time.Millisecond

// stat is what /proc/<pid>/stat tells that matters here.
type stat struct {
	pid, parent int
	state       byte
	own         time.Duration // user and system time
	reaped      time.Duration // of children that were waited for, and theirs
	started     uint64        // ticks after boot: with pid, the identity of a process
}

// parseStat reads one line. The name in parentheses may hold spaces and
// parentheses of its own, so the fields count from the last one.
func parseStat(line []byte) (stat, error) {
	open, shut := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	if open < 1 || shut < open {
		return stat{}, fmt.Errorf("parse /proc stat: no name in %q", line)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line[:open])))
	if err != nil {
		return stat{}, fmt.Errorf("parse /proc stat: %w", err)
	}
	f := strings.Fields(string(line[shut+1:])) // f[0] is field 3 of proc(5): the state
	if len(f) < 20 {
		return stat{}, fmt.Errorf("parse /proc stat: %d fields after the name", len(f))
	}
	s := stat{pid: pid, state: f[0][0]}
	values := make([]uint64, len(f))
	for _, i := range []int{1, 11, 12, 13, 14, 19} {
		if values[i], err = strconv.ParseUint(f[i], 10, 64); err != nil {
			return stat{}, fmt.Errorf("parse /proc stat: field %d: %w", i+3, err)
		}
	}
	s.parent = int(values[1])
	s.own = time.Duration(values[11]+values[12]) * tick
	s.reaped = time.Duration(values[13]+values[14]) * tick
	s.started = values[19]
	return s, nil
}

// CPU is the processor time that a process and its descendants have used.
func CPU(pid int) (time.Duration, error) {
	all, err := processes()
	if err != nil {
		return 0, err
	}
	if _, ok := all[pid]; !ok {
		return 0, fmt.Errorf("cpu of process %d: it is gone", pid)
	}
	var sum time.Duration
	for _, p := range family(all, pid) {
		sum += all[p].own + all[p].reaped
	}
	return sum, nil
}

// family is a process and its living descendants.
func family(all map[int]stat, root int) []int {
	children := map[int][]int{}
	for pid, s := range all {
		children[s.parent] = append(children[s.parent], pid)
	}
	var found []int
	if _, ok := all[root]; ok {
		found = append(found, root)
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

func processes() (map[int]stat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, ErrUnsupported
	}
	all := map[int]stat{}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		line, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it ended since
		}
		if s, err := parseStat(line); err == nil && s.state != 'Z' {
			all[s.pid] = s
		}
	}
	if len(all) == 0 {
		return nil, ErrUnsupported
	}
	return all, nil
}

// PSS is the proportional set size of a process in bytes: its memory, with pages
// that n processes share counted as an n-th. Sums of it count nothing twice.
func PSS(pid int) (int64, error) {
	kib, err := strconv.ParseInt(strings.TrimSuffix(field(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss"), " kB"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", pid, ErrUnsupported)
	}
	return kib << 10, nil
}
