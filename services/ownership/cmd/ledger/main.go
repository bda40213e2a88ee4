// Command ledger keeps shards of a ledger and refuses who no longer owns them.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/ownership/ledger"
)

func main() { process.Main(ledger.Program, ledger.Run) }
