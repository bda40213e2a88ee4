// Command redismetrics shows the state of a Redis as metrics.
package main

import (
	"github.com/flotilla-dev/flotilla/adapters/redismetrics"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(redismetrics.Program, redismetrics.Run) }
