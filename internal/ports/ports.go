// Package ports is the one table of the ports on which programs listen by
// default. The containers of a pod share one network, so no two programs of the
// fleet may share a default. The administration port is the data port + 1000
// where that is free.
package ports

import "fmt"

// Pair is the default data and administration port of a program.
type Pair struct{ Data, Admin int }

var table = map[string]Pair{
	"dictionary": {8080, 9080},
	"cache":      {8081, 9081},
	"content":    {8082, 9082},
	"edge":       {8443, 9443},
	"redis":      {6379, 7379},
}

// EdgeHTTP is the edge's second listener: plain HTTP, redirects only.
const EdgeHTTP = 8088

// Of returns the ports of the named program. A program that is not in the table
// gets free ports, which suits tests; the style test keeps the fleet complete.
func Of(program string) Pair { return table[program] }

// All returns a copy of the table.
func All() map[string]Pair {
	all := make(map[string]Pair, len(table))
	for name, pair := range table {
		all[name] = pair
	}
	return all
}

// Addr returns the listen address of a port on all interfaces.
func Addr(port int) string { return fmt.Sprintf(":%d", port) }
