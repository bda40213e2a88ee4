// Command memcached is an embedded memcached for fleets on one machine.
package main

import (
	"github.com/flotilla-dev/flotilla/infra/backends/memcached"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(memcached.Program, memcached.Run) }
