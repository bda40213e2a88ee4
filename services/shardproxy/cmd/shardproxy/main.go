// Command shardproxy is a consistent HTTP sharding proxy; see the package shardproxy, and --help for its parameters.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/shardproxy"
)

func main() { process.Main(shardproxy.Program, shardproxy.Run) }
