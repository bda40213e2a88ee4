package topz

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/procfs"
)

// A sampler looks at the process table again and again. What it saw last is
// what everybody is shown, so that many readers cost as much as one.
type sampler struct {
	fs      procfs.FS
	cfg     Config
	host    string
	now     func() time.Time
	current atomic.Pointer[Snapshot]
	before  map[identity]float64 // CPU seconds as seen last
	seen    time.Time
}

// identity tells processes apart that had the same number one after the other.
type identity struct {
	pid   int
	start uint64 // clock ticks since boot
}

func newSampler(fs procfs.FS, cfg Config) *sampler {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &sampler{fs: fs, cfg: cfg, host: host, now: time.Now}
}

// run samples until ctx ends. A process table that cannot be read ends it, and so
// the sidecar: it has nothing to show.
func (s *sampler) run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.sample(); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// sample looks at the process table once.
func (s *sampler) sample() error {
	all, err := s.fs.AllProcs()
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	system, err := s.fs.Stat()
	if err != nil {
		return fmt.Errorf("read when the machine was booted: %w", err)
	}
	slices.SortFunc(all, func(a, b procfs.Proc) int { return a.PID - b.PID })
	now := s.now()
	snapshot := &Snapshot{Host: s.host, At: now, Processes: []Row{}}
	if !s.seen.IsZero() {
		snapshot.Interval = now.Sub(s.seen).Seconds()
	}
	if len(all) > s.cfg.Processes {
		snapshot.LeftOut = len(all) - s.cfg.Processes
		all = all[:s.cfg.Processes]
	}
	used := make(map[identity]float64, len(all))
	for _, proc := range all {
		if row, id, ok := s.row(proc, system.BootTime); ok {
			if before, known := s.before[id]; known && snapshot.Interval > 0 {
				share := 100 * (row.CPUTime - before) / snapshot.Interval
				row.CPU = &share
			}
			used[id] = row.CPUTime
			snapshot.Processes = append(snapshot.Processes, row)
		}
	}
	s.before, s.seen = used, now
	s.current.Store(snapshot)
	return nil
}

// perSecond is how many ticks of the kernel's clock are a second, everywhere.
const perSecond = 100

// row reads one process, of a machine that was booted at a Unix time. It returns false when the process has ended meanwhile.
func (s *sampler) row(proc procfs.Proc, booted uint64) (Row, identity, bool) {
	stat, err := proc.Stat()
	if err != nil {
		return Row{}, identity{}, false
	}
	row := Row{
		PID: proc.PID, Parent: stat.PPID, Name: stat.Comm, Command: stat.Comm, State: stat.State,
		CPUTime: stat.CPUTime(), RSS: int64(stat.ResidentMemory()), Threads: stat.NumThreads,
		Started: time.Unix(int64(booted), int64(stat.Starttime)*int64(time.Second/perSecond)).UTC(),
	}
	if files, err := proc.FileDescriptorsLen(); err == nil {
		row.OpenFiles = &files
	}
	// Kernel threads and zombies have no command line.
	if line, err := proc.CmdLine(); bool(s.cfg.Arguments) && err == nil && len(line) > 0 {
		row.Command = printable(masked(line))
	}
	return row, identity{proc.PID, stat.Starttime}, true
}

// maxCommand bounds a command line: a process may have megabytes of arguments.
const maxCommand = 1 << 10

// printable joins a command line and cuts it where it is too long.
func printable(words []string) string {
	line := strings.ToValidUTF8(strings.Join(words, " "), "�")
	if len(line) <= maxCommand {
		return line
	}
	return strings.ToValidUTF8(line[:maxCommand], "") + "…"
}
