// Command lognorm turns logs of many formats into one.
package main

import (
	"github.com/flotilla-dev/flotilla/adapters/lognorm"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(lognorm.Program, lognorm.Run) }
