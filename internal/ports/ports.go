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

	// Sidecars, and the applications that they are shown with.
	"tlsproxy":   {8444, 9444},
	"legacy":     {8090, 9090}, // old and plain; behind tlsproxy
	"configsync": {8091, 9091},
	"configapi":  {8092, 9092},
	"topz":       {8093, 9093},
	"gitsync":    {8094, 9094},
	"gitserver":  {8095, 9095},
	"site":       {8096, 9096}, // its pages come by gitsync

	// Ambassadors, and the applications that they are shown with.
	"redisshard":    {6380, 7380},
	"lookups":       {8097, 9097}, // caches in Redis, through redisshard
	"memcacheshard": {11212, 12212},
	"thesaurus":     {8098, 9098}, // caches in memcached, through memcacheshard
	"broker":        {3306, 4306},
	"guestbook":     {8099, 9099}, // its database is found by broker
	"experiment":    {8100, 9100},

	// Adapters.
	"redismetrics": {9121, 10121}, // the port that redis_exporter made known
	"lognorm":      {8101, 9101},
	"dbhealth":     {8102, 9102},

	// Sharded services.
	"shardproxy": {8103, 9103},
	"hotshards":  {8106, 9106},

	// Ownership: its replicas, and the workers that they dispatch to.
	"ownership": {8104, 9104},
	"ledger":    {8105, 9105},

	// Document search: the root, its leaves, and what brings a corpus.
	"search":     {8107, 9107},
	"searchleaf": {8108, 9108},
	"searchfeed": {8109, 9109},

	// Embedded backends, on the ports of the real servers where they are free.
	"redis":     {6379, 7379},
	"memcached": {11211, 12211},
	"etcd":      {2379, 3379},
	"kafka":     {9192, 10192}, // 9092 is where configapi is administered
	"mysql":     {3307, 4307},  // 3306 is the broker's, which stands in for any database
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
