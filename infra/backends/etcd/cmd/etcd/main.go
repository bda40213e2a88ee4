// Command etcd is an embedded etcd for fleets on one machine.
package main

import (
	"github.com/flotilla-dev/flotilla/infra/backends/etcd"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(etcd.Program, etcd.Run) }
