// Command configapi keeps configurations with their versions in etcd.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/configsync/configapi"
)

func main() { process.Main(configapi.Program, configapi.Run) }
