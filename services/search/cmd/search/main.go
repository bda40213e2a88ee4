// Command search searches documents that are spread over leaves; see the package search, and --help for its parameters.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/search"
)

func main() { process.Main(search.Program, search.Run) }
