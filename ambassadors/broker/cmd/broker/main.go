// Command broker finds the database of an application that connects to localhost.
package main

import (
	"github.com/flotilla-dev/flotilla/ambassadors/broker"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(broker.Program, broker.Run) }
