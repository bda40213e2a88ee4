// Command gitsync keeps a directory equal to a git repository.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync"
)

func main() { process.Main(gitsync.Program, gitsync.Run) }
