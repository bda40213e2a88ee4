// Command dbhealth tells an orchestrator whether a database is alive and ready.
package main

import (
	"github.com/flotilla-dev/flotilla/adapters/dbhealth"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(dbhealth.Program, dbhealth.Run) }
