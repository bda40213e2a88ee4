package experiments

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// sourceState is what lognorm tells of its source.
type sourceState struct {
	Lines    int                        `json:"lines"`
	Records  int                        `json:"records"`
	Unparsed int                        `json:"unparsed"`
	Lag      int                        `json:"lag_bytes"`
	Lost     map[string]json.RawMessage `json:"lost"`
}

func askLognorm(ctx context.Context, p *rig.Proc) (s sourceState, err error) {
	return s, getJSON(ctx, "http://"+p.Data+"/v1/sources/files", &s)
}

// manyLines is how many lines an experiment has.
func manyLines(r *proof.Report) int {
	if r.Quick {
		return 200_000
	}
	return 1_000_000
}

func million(ctx context.Context, r *proof.Report) error {
	cpus := machine.CPUs()
	if len(cpus) == 0 {
		return proof.Missing{What: "a CPU that a process can be pinned to"}
	}
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "lognorm"); err != nil {
		return err
	}
	m := newMixed()
	log := filepath.Join(g.Dir, "mixed.log")
	bytes, err := m.file(log, manyLines(r))
	if err != nil {
		return err
	}
	var wall, perCPU []float64
	for round := range r.Rounds() {
		took, cpu, err := normalise(ctx, r, g, m, log, round, cpus[len(cpus)-1])
		if err != nil {
			return err
		}
		wall, perCPU = append(wall, float64(m.next)/took.Seconds()), append(perCPU, float64(m.next)/cpu.Seconds())
	}
	r.Claim(proof.AtLeast("mixed lines a second, on one core", duel.Median(wall), 200_000, "lines/s"))
	r.Measured("lines for each second of processor time", duel.Median(perCPU), "lines")
	r.Measured("input", float64(bytes)/1e6, "MB")
	r.Note("Median of %d rounds, each from the start of the process until its last line was written to a file, on one CPU. 14 %% glog, 6 %% klog, 17 %% log4j and Python with stack traces, 17 %% access log, 10 %% JSON, 10 %% logfmt, 16 %% syslog, 3 %% java.util.logging; 7 %% are of no format.", r.Rounds())
	return nil
}

// file writes at least so many lines.
func (m *mixedLines) file(path string, lines int) (size int, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	var b []byte
	for m.next < lines {
		b = m.append(b[:0])
		if _, err := out.Write(b); err != nil {
			return 0, err
		}
		size += len(b)
	}
	return size, out.Flush()
}

// normalise lets a new process read the log, and accounts for its lines.
func normalise(ctx context.Context, r *proof.Report, g *rig.Rig, m *mixedLines, log string, round, cpu int) (took, spent time.Duration, err error) {
	began := time.Now()
	p, err := g.Service(ctx, "lognorm", fmt.Sprintf("lognorm-%d", round+1), map[string]string{"LOGNORM_FILES": log, "LOGNORM_STATE_FILE": filepath.Join(g.Dir, fmt.Sprintf("state-%d", round))}, cpu)
	if err != nil {
		return 0, 0, err
	}
	defer p.Kill()
	var s sourceState
	lines := m.lines(log)
	for s.Lines < lines {
		if time.Since(began) > 2*time.Minute {
			return 0, 0, fmt.Errorf("after two minutes %d of %d lines have left", s.Lines, lines)
		}
		if s, err = askLognorm(ctx, p); err != nil {
			return 0, 0, err
		}
		if err := retry.Sleep(ctx, 5*time.Millisecond); err != nil {
			return 0, 0, err
		}
	}
	took = time.Since(began)
	if spent, err = machine.CPU(p.PID()); err != nil {
		return 0, 0, err
	}
	t, err := account(filepath.Join(g.Dir, p.Spec.Name+".log"), m.next)
	if err != nil {
		return 0, 0, err
	}
	missing, double, wrong := t.verdict(m.known)
	if round > 0 && missing+double+wrong+t.torn == 0 {
		return took, spent, nil // the same as before
	}
	r.Claim(proof.Exactly("lines without a record", missing, 0, "lines"))
	r.Claim(proof.Exactly("lines in more than one record", double, 0, "lines"))
	r.Claim(proof.Exactly("lines marked unparsed that a format knows, or the other way about", wrong, 0, "lines"))
	r.Claim(proof.Exactly("lines that it tells of", s.Lines, lines, "lines"))
	r.Claim(proof.Exactly("losses that it tells of", len(s.Lost), 0, ""))
	r.Measured("records", float64(t.records), "records")
	r.Measured("of the lines, passed on as they stood", float64(s.Unparsed), "lines")
	return took, spent, nil
}
