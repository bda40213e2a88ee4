// Command pki makes and keeps the certificates of a development fleet:
//
//	pki dir              into a directory (the local runner, compose)
//	pki secret           into Secrets of its own namespace (a Job in Kubernetes)
//	pki show             what a directory holds, and until when
//	pki trust            how to trust and un-trust the development CA
//
// It does its work once and exits: 0 done, 1 not done, 2 wrong configuration.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/flotilla-dev/flotilla/infra/pki/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(command.Execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
