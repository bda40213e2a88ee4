package closedloop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
)

// MemcachedLoad is one run of the tree's memload, with 50 connections and values
// of 64 bytes.
type MemcachedLoad struct {
	Program  string // built from loadtest/cmd/memload
	Addr     string // host:port
	Sets     bool   // else gets, which all hit
	Pipeline int    // commands in flight on each connection
	Keys     int    // different ones
	Duration time.Duration
	Server   int // process whose CPU is read
}

// Memload loads a memcached, or what looks like one. Answers that are errors are
// in the sample.
func Memload(ctx context.Context, l MemcachedLoad) (duel.Sample, error) {
	share := "0"
	if l.Sets {
		share = "1"
	}
	cmd := exec.CommandContext(ctx, l.Program, "-addr", l.Addr, "-c", "50", "-size", "64", "-keys", strconv.Itoa(l.Keys), "-pipeline", strconv.Itoa(l.Pipeline), "-set", share, "-d", l.Duration.String())
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	before, err := machine.CPU(l.Server)
	if err != nil {
		return duel.Sample{}, err
	}
	out, err := cmd.Output()
	if err != nil {
		return duel.Sample{}, fmt.Errorf("memload: %w: %s", err, complaints.Bytes())
	}
	after, err := machine.CPU(l.Server)
	if err != nil {
		return duel.Sample{}, err
	}
	s, err := parseMemload(out)
	s.CPU = after - before
	return s, err
}

func parseMemload(out []byte) (duel.Sample, error) {
	var r struct {
		Ops     uint64  `json:"ops"`
		Errors  uint64  `json:"errors"`
		Seconds float64 `json:"seconds"`
		P50     float64 `json:"p50_us"`
		P99     float64 `json:"p99_us"`
		Last    string  `json:"last_error"`
	}
	if err := json.Unmarshal(out, &r); err != nil || r.Seconds <= 0 {
		return duel.Sample{}, fmt.Errorf("memload printed %q", out)
	}
	micro := func(us float64) time.Duration { return time.Duration(us * float64(time.Microsecond)) }
	s := duel.Sample{Ops: r.Ops, Errors: r.Errors, Took: time.Duration(r.Seconds * float64(time.Second)), P50: micro(r.P50), P99: micro(r.P99)}
	if r.Last != "" {
		s.Remarks = []string{r.Last}
	}
	return s, nil
}
