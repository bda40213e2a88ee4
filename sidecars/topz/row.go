package topz

import (
	"cmp"
	"slices"
	"time"
)

// Snapshot is the process table at one moment.
type Snapshot struct {
	Host      string    `json:"host"`
	At        time.Time `json:"at"`
	Interval  float64   `json:"interval_seconds"` // over which CPU was measured
	Processes []Row     `json:"processes"`
	LeftOut   int       `json:"left_out"` // processes past the bound
}

// Row is one process. What may not be read is null: another user's open files,
// for instance.
type Row struct {
	PID       int       `json:"pid"`
	Parent    int       `json:"parent_pid"`
	Name      string    `json:"name"`
	Command   string    `json:"command"`
	State     string    `json:"state"`       // R running, S sleeping, D waiting for a disk, T stopped, Z zombie
	CPU       *float64  `json:"cpu_percent"` // of one CPU; null when it is seen for the first time
	CPUTime   float64   `json:"cpu_seconds"`
	RSS       int64     `json:"rss_bytes"`
	Threads   int       `json:"threads"`
	OpenFiles *int      `json:"open_files"`
	Started   time.Time `json:"started"`
}

// columns are what rows can be sorted by. Numbers begin with the largest: that
// is what somebody who sorts is looking for.
var columns = map[string]func(a, b Row) int{
	"pid":     func(a, b Row) int { return a.PID - b.PID },
	"name":    func(a, b Row) int { return cmp.Compare(a.Name, b.Name) },
	"cpu":     func(a, b Row) int { return cmp.Compare(known(b.CPU), known(a.CPU)) },
	"rss":     func(a, b Row) int { return cmp.Compare(b.RSS, a.RSS) },
	"threads": func(a, b Row) int { return b.Threads - a.Threads },
	"files":   func(a, b Row) int { return known(b.OpenFiles) - known(a.OpenFiles) },
	"started": func(a, b Row) int { return b.Started.Compare(a.Started) },
}

// known puts what is not known below everything.
func known[T int | float64](n *T) T {
	if n == nil {
		return -1
	}
	return *n
}

// sorted returns the rows by a column, equal ones by their number.
func (s Snapshot) sorted(column string) Snapshot {
	s.Processes = slices.Clone(s.Processes)
	slices.SortFunc(s.Processes, func(a, b Row) int { return cmp.Or(columns[column](a, b), a.PID-b.PID) })
	return s
}
