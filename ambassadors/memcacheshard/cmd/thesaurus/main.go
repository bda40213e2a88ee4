// Command thesaurus finds words related to a word, and keeps them in memcached.
package main

import (
	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/thesaurus"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(thesaurus.Program, thesaurus.Run) }
