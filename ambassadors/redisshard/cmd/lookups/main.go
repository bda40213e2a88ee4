// Command lookups looks words up in the dictionary, and keeps the answers in
// Redis.
package main

import (
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/lookups"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(lookups.Program, lookups.Run) }
