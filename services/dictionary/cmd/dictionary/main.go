// Command dictionary serves the definitions of English words.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/dictionary"
)

func main() { process.Main(dictionary.Program, dictionary.Run) }
