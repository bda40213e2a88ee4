// Command searchleaf keeps the index of one shard of a log of documents, and answers for it.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/search/leaf"
)

func main() { process.Main(leaf.Program, leaf.Run) }
