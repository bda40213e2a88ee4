// Command ownership is a replica of which one owns each shard of a ledger.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/ownership"
)

func main() { process.Main(ownership.Program, ownership.Run) }
