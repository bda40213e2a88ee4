// Command pod holds the namespaces of a pod in compose, as the pause container
// does in Kubernetes: containers that share a network, and perhaps process
// numbers, must share them with one that never restarts. Where the numbers are
// shared it is process 1 and takes in the orphans of the others.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt, syscall.SIGCHLD)
	hold(signals)
}

// hold returns when it is told to end, and takes in orphans until then.
func hold(signals <-chan os.Signal) {
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		for { // one signal may stand for several children
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}
