// Command redis is an embedded Redis for fleets on one machine.
package main

import (
	"github.com/flotilla-dev/flotilla/infra/backends/redis"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(redis.Program, redis.Run) }
