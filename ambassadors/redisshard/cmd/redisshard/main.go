// Command redisshard spreads the keys of a Redis client over many servers.
package main

import (
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(redisshard.Program, redisshard.Run) }
