package closedloop

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
)

// RedisLoad is one run of redis-benchmark.
type RedisLoad struct {
	Addr     string // host:port
	Test     string // "get" or "set"
	Pipeline int    // commands in flight on each of 50 connections
	Requests int
	Keys     int // different ones; values have 64 bytes
	Server   int // process whose CPU is read
}

// RedisBenchmark loads a Redis, or what looks like one. It ends with an error at
// the first answer that is one.
func RedisBenchmark(ctx context.Context, l RedisLoad) (duel.Sample, error) {
	path, err := exec.LookPath("redis-benchmark")
	if err != nil {
		return duel.Sample{}, fmt.Errorf("redis-benchmark %w", ErrNotInstalled)
	}
	host, port, err := net.SplitHostPort(l.Addr)
	if err != nil {
		return duel.Sample{}, err
	}
	cmd := exec.CommandContext(ctx, path, "-h", host, "-p", port, "-c", "50", "-n", strconv.Itoa(l.Requests), "-P", strconv.Itoa(l.Pipeline),
		"-d", "64", "-r", strconv.Itoa(l.Keys), "-t", l.Test, "--csv")
	var complaints bytes.Buffer // that CONFIG is not supported, among others
	cmd.Stderr = &complaints
	before, err := machine.CPU(l.Server)
	if err != nil {
		return duel.Sample{}, err
	}
	out, err := cmd.Output()
	if err != nil {
		return duel.Sample{}, fmt.Errorf("redis-benchmark: %w: %s%s", err, out, complaints.Bytes())
	}
	after, err := machine.CPU(l.Server)
	if err != nil {
		return duel.Sample{}, err
	}
	s, err := parseRedisBenchmark(string(out), l.Requests)
	s.CPU = after - before
	return s, err
}

// parseRedisBenchmark reads the line of values under the line of names.
func parseRedisBenchmark(text string, requests int) (duel.Sample, error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 2 {
		return duel.Sample{}, fmt.Errorf("redis-benchmark printed %q", text)
	}
	values := map[string]float64{}
	for i, name := range rows[0] {
		if i == 0 {
			continue // of the test
		}
		if values[name], err = strconv.ParseFloat(rows[1][i], 64); err != nil {
			return duel.Sample{}, fmt.Errorf("redis-benchmark printed %q", text)
		}
	}
	if values["rps"] <= 0 {
		return duel.Sample{}, fmt.Errorf("redis-benchmark printed %q", text)
	}
	milli := func(name string) time.Duration { return time.Duration(values[name] * float64(time.Millisecond)) }
	return duel.Sample{
		Ops: uint64(requests), Took: time.Duration(float64(requests) / values["rps"] * float64(time.Second)),
		P50: milli("p50_latency_ms"), P99: milli("p99_latency_ms"),
	}, nil
}
