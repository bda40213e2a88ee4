// Command gitserver serves one bare git repository over HTTP.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/gitserver"
)

func main() { process.Main(gitserver.Program, gitserver.Run) }
