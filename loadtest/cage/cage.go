// Package cage limits processes as an engine limits containers: by control groups of
// the kernel, of either version.
package cage

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Limits are those of a container in a manifest.
type Limits struct {
	Request float64 // CPUs it has a right to when CPUs are scarce
	CPUs    float64 // that it gets at most; 0: all
	Memory  int64   // bytes that it gets at most; 0: all
}

// A Cage is a control group.
type Cage struct{ dirs map[string]string } // by controller; of version 2 all are the same

// ErrUnavailable: not root, or a kernel or container without the controllers.
var ErrUnavailable = errors.New("control groups that may be written to")

const (
	mount  = "/sys/fs/cgroup"
	period = 100 * time.Millisecond
)

// New makes a cage with a name. Remove takes it away when its processes have ended.
func New(name string, l Limits) (*Cage, error) {
	c := &Cage{dirs: map[string]string{}}
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err == nil {
		dir := filepath.Join(mount, name)
		c.dirs["cpu"], c.dirs["memory"] = dir, dir
	} else {
		for _, controller := range []string{"cpu", "memory"} {
			c.dirs[controller] = filepath.Join(mount, controller, name)
		}
	}
	for _, dir := range c.dirs {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			c.Remove()
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	if err := c.limit(l); err != nil {
		c.Remove()
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return c, nil
}

func (c *Cage) version2() bool { return c.dirs["cpu"] == c.dirs["memory"] }

func (c *Cage) limit(l Limits) error {
	shares := max(2, int(l.Request*1024)) // as a kubelet does
	quota := strconv.FormatInt(int64(l.CPUs*float64(period.Microseconds())), 10)
	memory := strconv.FormatInt(l.Memory, 10)
	var settings [][3]string
	if c.version2() {
		settings = [][3]string{{"cpu", "cpu.weight", strconv.Itoa(1 + (shares-2)*9999/262142)}}
		if l.CPUs > 0 {
			settings = append(settings, [3]string{"cpu", "cpu.max", quota + " " + strconv.FormatInt(period.Microseconds(), 10)})
		}
		if l.Memory > 0 {
			settings = append(settings, [3]string{"memory", "memory.max", memory}, [3]string{"memory", "memory.swap.max", "0"})
		}
	} else {
		settings = [][3]string{{"cpu", "cpu.shares", strconv.Itoa(shares)}}
		if l.CPUs > 0 {
			settings = append(settings, [3]string{"cpu", "cpu.cfs_period_us", strconv.FormatInt(period.Microseconds(), 10)}, [3]string{"cpu", "cpu.cfs_quota_us", quota})
		}
		if l.Memory > 0 {
			settings = append(settings, [3]string{"memory", "memory.limit_in_bytes", memory})
		}
	}
	for _, s := range settings {
		if err := os.WriteFile(filepath.Join(c.dirs[s[0]], s[1]), []byte(s[2]), 0o644); err != nil {
			if s[1] == "memory.swap.max" && errors.Is(err, fs.ErrNotExist) {
				continue // a kernel without swap
			}
			return err
		}
	}
	return nil
}

// Command is argv that starts a program inside.
func (c *Cage) Command(path string, args ...string) (string, []string) {
	const script = `for dir in "$1" "$2"; do echo $$ > "$dir/cgroup.procs" || exit 1; done; shift 2; exec "$@"`
	return "/bin/sh", append([]string{"-c", script, "cage", c.dirs["cpu"], c.dirs["memory"], path}, args...)
}

// Throttled is how many periods ended before the processes had what they wanted.
func (c *Cage) Throttled() (int, error) {
	return c.count("cpu", "cpu.stat", "nr_throttled")
}

// Killed is how many processes the kernel ended for want of memory.
func (c *Cage) Killed() (int, error) {
	if c.version2() {
		return c.count("memory", "memory.events", "oom_kill")
	}
	return c.count("memory", "memory.oom_control", "oom_kill")
}

func (c *Cage) count(controller, file, key string) (int, error) {
	f, err := os.Open(filepath.Join(c.dirs[controller], file))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && name == key {
			return strconv.Atoi(value)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, key)
}

// Remove takes the cage away. The kernel needs a moment after the end of its last process.
func (c *Cage) Remove() {
	for _, dir := range c.dirs {
		for range 50 {
			if err := os.Remove(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
