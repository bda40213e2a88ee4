// Command memcacheshard spreads the keys of memcached clients over shards.
package main

import (
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(memcacheshard.Program, memcacheshard.Run) }
