// Command site serves pages out of a directory that a sidecar keeps up to date.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/sidecars/gitsync/site"
)

func main() { process.Main(site.Program, site.Run) }
