// Command memload asks a memcached server, or a router before several, as fast as
// it answers.
//
//	go run ./loadtest/cmd/memload -addr 127.0.0.1:11211 -c 50 -pipeline 16 -set 0.5 -d 5s
//
// Each connection writes a pipeline of commands, reads all answers, checks every
// one, and begins again. It prints one line of JSON: {"ops":…,"errors":…,
// "seconds":…,"p50_us":…,"p99_us":…}. The latency of a command is the time from
// the write of its pipeline to its answer. Keys are stored once before the clock
// starts, so that every get is a hit.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

type options struct {
	addr     string
	conns    int
	pipeline int
	keys     int
	size     int     // of values
	set      float64 // share of sets; the rest are gets
	duration time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.addr, "addr", "", "`host:port`")
	flag.IntVar(&o.conns, "c", 50, "connections")
	flag.IntVar(&o.pipeline, "pipeline", 1, "commands in flight on each")
	flag.IntVar(&o.keys, "keys", 10_000, "different keys")
	flag.IntVar(&o.size, "size", 64, "bytes of a value")
	flag.Float64Var(&o.set, "set", 0, "share of sets, 0 to 1; the rest are gets")
	flag.DurationVar(&o.duration, "d", 5*time.Second, "how long")
	flag.Parse()
	r, err := run(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "memload:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		os.Exit(1)
	}
}
