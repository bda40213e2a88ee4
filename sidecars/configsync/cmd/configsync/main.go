// Command configsync keeps files of an application equal to keys in etcd.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/configsync"
)

func main() { process.Main(configsync.Program, configsync.Run) }
