// Command experiment sends a share of the users to an experiment and a copy of the traffic to a shadow.
package main

import (
	"github.com/flotilla-dev/flotilla/ambassadors/experiment"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(experiment.Program, experiment.Run) }
