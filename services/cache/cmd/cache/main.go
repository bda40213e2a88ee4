// Command cache is a shared HTTP cache; see the package cache, and --help for its parameters.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/cache"
)

func main() { process.Main(cache.Program, cache.Run) }
