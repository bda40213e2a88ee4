package proc

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Start identifies the start of a process: clock ticks since boot, and the
// boot, so that a number of before the last boot is nobody.
func Start(pid int) (string, error) {
	fields, err := stat(pid)
	if err != nil {
		return "", err
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return fields[19] + "@" + strings.TrimSpace(string(boot)), nil
}

// stat returns the fields of /proc/PID/stat from the third on. The second one,
// the name, may contain anything, spaces and parentheses included.
func stat(pid int) ([]string, error) { return statOf(fmt.Sprintf("/proc/%d/stat", pid)) }

func statOf(file string) ([]string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	end := bytes.LastIndexByte(content, ')')
	fields := strings.Fields(string(content[end+1:]))
	if len(fields) < 20 {
		return nil, fmt.Errorf("read %s: %d fields", file, len(fields))
	}
	return fields, nil
}

// Stopped tells whether all threads of a process are stopped. A signal that was sent has
// not arrived yet: until it has, a thread may go on.
func Stopped(pid int) bool {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
	if err != nil || len(tasks) == 0 {
		return true // it is gone
	}
	for _, task := range tasks {
		if fields, err := statOf(task + "/stat"); err == nil && fields[0] != "T" && fields[0] != "t" {
			return false
		}
	}
	return true
}

// Memory is the proportional set size in bytes: pages that several processes
// share, such as a mapped data file, count in shares, so that sums are true.
func Memory(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		rest, found := strings.CutPrefix(lines.Text(), "Pss:")
		if !found {
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
		return kilobytes << 10, err
	}
	return 0, lines.Err()
}

// Attributes makes a child lead a process group of its own, so that the
// terminal's Ctrl-C reaches the runner alone, and die with the runner, however
// that ends. The kernel ties the latter to the thread that starts the child:
// see supervise.Starter.
func Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// Holder says which process listens on a port of any address: "process 4711
// (nginx: master process)". It is empty when that is not to be found out.
func Holder(network string, port int) string {
	inodes := map[string]bool{}
	for _, file := range []string{"/proc/net/" + network, "/proc/net/" + network + "6"} {
		listeners(file, network, port, inodes)
	}
	if len(inodes) == 0 {
		return ""
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // those that we may see
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !inodes[target] {
			continue
		}
		pid := strings.Split(link, "/")[2]
		return fmt.Sprintf("process %s (%s)", pid, command(pid))
	}
	return "a process of another user"
}

// listeners collects the sockets of a table of the kernel that hold the port.
//
//	0: 0100007F:20FB 00000000:0000 0A … inode is the tenth field
func listeners(file, network string, port int, inodes map[string]bool) {
	content, err := os.ReadFile(file)
	if err != nil {
		return
	}
	suffix := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 10 || !strings.HasSuffix(fields[1], suffix) {
			continue
		}
		if network == "tcp" && fields[3] != "0A" { // LISTEN
			continue
		}
		inodes["socket:["+fields[9]+"]"] = true
	}
}

func command(pid string) string {
	line, err := os.ReadFile("/proc/" + pid + "/cmdline")
	text := strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
	if err != nil || text == "" {
		return "command unknown"
	}
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	return text
}

// FirstEphemeral is the lowest port that the kernel gives to outgoing
// connections.
func FirstEphemeral() int {
	content, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 32768
	}
	fields := strings.Fields(string(content))
	if len(fields) != 2 {
		return 32768
	}
	low, err := strconv.Atoi(fields[0])
	if err != nil {
		return 32768
	}
	return low
}
