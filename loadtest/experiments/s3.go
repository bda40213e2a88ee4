package experiments

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func s3() proof.Pattern {
	return proof.Pattern{ID: "S3", Title: "Sidecar: topz", Page: "s3-topz.md", Experiments: []proof.Experiment{
		{Name: "agrees", Question: "Do the numbers of topz agree with /proc read another way?", Run: topzAgrees},
	}}
}

// topzRow is what is compared of a row.
type topzRow struct {
	PID     int      `json:"pid"`
	CPU     *float64 `json:"cpu_percent"`
	RSS     float64  `json:"rss_bytes"`
	Threads float64  `json:"threads"`
	Files   *float64 `json:"open_files"`
}

// topzSnapshot is what is read of an answer.
type topzSnapshot struct {
	At        time.Time `json:"at"`
	Interval  float64   `json:"interval_seconds"`
	Processes []topzRow `json:"processes"`
}

func (s topzSnapshot) find(pid int) (topzRow, error) {
	for _, row := range s.Processes {
		if row.PID == pid && row.CPU != nil && row.Files != nil {
			return row, nil
		}
	}
	return topzRow{}, fmt.Errorf("topz does not show all of process %d", pid)
}

// topzAgrees watches a process that is always busy and one that holds memory.
// The first is compared by /proc/PID/schedstat, which counts nanoseconds where
// /proc/PID/stat counts ticks; the second by smaps_rollup and by folders.
func topzAgrees(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "topz", "dictionary"); err != nil {
		return err
	}
	busy, err := g.Start(ctx, rig.Spec{Name: "busy", Path: "/bin/sh", Args: []string{"-c", "while :; do :; done"}})
	if err != nil {
		return err
	}
	holders, err := g.Dictionaries(ctx, 1, nil)
	if err != nil {
		return err
	}
	topz, err := g.Service(ctx, "topz", "topz", map[string]string{"TOPZ_INTERVAL": "500ms"})
	if err != nil {
		return err
	}
	url := "http://" + topz.Data + "/topz"
	first, err := nextTopz(ctx, url, time.Time{})
	if err != nil {
		return err
	}
	before, err := onCPU(busy.PID())
	if err != nil {
		return err
	}
	begin, shown := first.At, 0.0
	last := first
	for range 4 * r.Rounds() {
		if last, err = nextTopz(ctx, url, last.At); err != nil {
			return err
		}
		row, err := last.find(busy.PID())
		if err != nil {
			return err
		}
		shown += *row.CPU / 100 * last.Interval
	}
	after, err := onCPU(busy.PID())
	if err != nil {
		return err
	}
	took := last.At.Sub(begin).Seconds()
	r.Claim(proof.Within("CPU of a process that is always busy, over "+proof.Number(took)+" s", 100*shown/took, 100*(after-before).Seconds()/took, 0.05, "%"))
	return compareHolder(r, last, holders[0].PID())
}

func compareHolder(r *proof.Report, s topzSnapshot, pid int) error {
	row, err := s.find(pid)
	if err != nil {
		return err
	}
	resident, err := rollup(pid)
	if err != nil {
		return err
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return err
	}
	r.Claim(proof.Within("resident memory of a dictionary", row.RSS/(1<<20), resident/(1<<20), 0.05, "MiB"))
	r.Claim(proof.Within("threads of a dictionary", row.Threads, float64(len(tasks)), 0.05, ""))
	r.Claim(proof.Within("open files of a dictionary", *row.Files, float64(len(files)), 0.05, ""))
	return nil
}

// nextTopz waits for a sample that is younger than one.
func nextTopz(ctx context.Context, url string, than time.Time) (s topzSnapshot, err error) {
	err = until(ctx, "topz takes its next sample", func() (bool, error) {
		s = topzSnapshot{}
		err := getJSON(ctx, url, &s)
		return s.At.After(than) && s.Interval > 0, err
	})
	return s, err
}

// onCPU is the time that a process of one thread was running.
func onCPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0, proof.Missing{What: "/proc/PID/schedstat"}
	}
	n, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
	return time.Duration(n), err
}

// rollup is the resident memory of a process in bytes, page by page.
func rollup(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, proof.Missing{What: "/proc/PID/smaps_rollup"}
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Rss:" {
			kib, err := strconv.ParseFloat(f[1], 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("memory of process %d: no Rss", pid)
}
