// Command searchfeed brings a corpus of documents into the search, once.
package main

import (
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/services/search/feed"
)

func main() { process.Main(feed.Program, feed.Run) }
