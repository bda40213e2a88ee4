// Command edge is the TLS edge of the fleet; see package edge.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/edge"
)

func main() { process.Main(edge.Program, edge.Run) }
