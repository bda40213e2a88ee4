// Command content serves immutable files by name and digest.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/content"
)

func main() { process.Main(content.Program, content.Run) }
