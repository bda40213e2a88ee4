// Command guestbook is a small application whose database broker finds.
package main

import (
	"github.com/flotilla-dev/flotilla/ambassadors/broker/guestbook"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(guestbook.Program, guestbook.Run) }
