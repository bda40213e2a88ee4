// Command mysql is an embedded MySQL-compatible database for fleets on one machine.
package main

import (
	"github.com/flotilla-dev/flotilla/infra/backends/mysql"
	"github.com/flotilla-dev/flotilla/internal/process"
)

func main() { process.Main(mysql.Program, mysql.Run) }
