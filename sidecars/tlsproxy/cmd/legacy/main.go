// Command legacy is an old application for sidecars to be shown with.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/tlsproxy/legacy"
)

func main() { process.Main(legacy.Program, legacy.Run) }
