// Command hotshards gives hot shards more replicas, and moves cold ones together.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/hotshards"
)

func main() { process.Main(hotshards.Program, hotshards.Run) }
