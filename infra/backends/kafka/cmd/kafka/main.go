// Command kafka is an embedded Kafka broker for fleets on one machine.
package main

import (
	"github.com/flotilla-dev/flotilla/infra/backends/kafka"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(kafka.Program, kafka.Run) }
