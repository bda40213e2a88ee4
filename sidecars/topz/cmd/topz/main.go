// Command topz shows the processes of the containers that it shares a pod with.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/topz"
)

func main() { process.Main(topz.Program, topz.Run) }
