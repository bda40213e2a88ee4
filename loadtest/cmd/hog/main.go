// Hog is a sidecar that has gone wrong: it spins on every CPU, or takes more and more
// memory.
//
//	hog spin
//	hog leak
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "spin":
		for range runtime.NumCPU() {
			go spin()
		}
		select {}
	case len(os.Args) == 2 && os.Args[1] == "leak":
		leak()
	default:
		fmt.Fprintln(os.Stderr, "hog: want spin or leak")
		os.Exit(2)
	}
}

var spun atomic.Uint64

func spin() {
	for {
		spun.Add(1)
	}
}

// leak takes a MiB every five milliseconds, and touches it.
func leak() {
	var all [][]byte
	for {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = 1
		}
		all = append(all, block)
		runtime.KeepAlive(all)
		time.Sleep(5 * time.Millisecond)
	}
}
