package memcacheshard

import (
	"fmt"
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program is the ambassador as a process of the fleet.
var Program = process.Program{
	Name:  "memcacheshard",
	About: "spreads the keys of a memcached client over many servers, as twemproxy places them",
	// It stands beside its only client: nobody has to move away from it first. A
	// shared router sets a delay.
	Defaults: map[string]string{"DRAIN_DELAY": "0s"},
	Calls:    []string{"memcached servers of its pools: text and meta protocol"},
}

// Config is the configuration of an ambassador or a router.
type Config struct {
	process.Contract

	ConfigFile string `env:"MEMCACHESHARD_CONFIG_FILE" doc:"nutcracker.yaml, watched; its pools without redis: true are served, each on its listen. LISTEN_ADDR, where it is not the default, stands for that of the first"`

	Servers      string         `env:"MEMCACHESHARD_SERVERS" doc:"instead of a file: the servers of one pool, comma-separated, each host:port, host:port:weight or host:port:weight name"`
	Hash         string         `env:"MEMCACHESHARD_HASH" envDefault:"fnv1a_64" doc:"of the pool of MEMCACHESHARD_SERVERS: hash, by twemproxy's name"`
	HashTag      string         `env:"MEMCACHESHARD_HASH_TAG" doc:"of that pool: two characters; what a key has between them is what is hashed"`
	Distribution string         `env:"MEMCACHESHARD_DISTRIBUTION" envDefault:"ketama" doc:"of that pool: ketama, modula or random"`
	Connections  int            `env:"MEMCACHESHARD_CONNECTIONS" envDefault:"1" doc:"of that pool: connections to each server"`
	AutoEject    process.Switch `env:"MEMCACHESHARD_AUTO_EJECT" envDefault:"on" doc:"of that pool: on: a shard that fails is left out, and its keys belong to the others"`
	FailureLimit int            `env:"MEMCACHESHARD_FAILURE_LIMIT" envDefault:"2" doc:"of that pool: failures in a row that make a shard be left out"`
	RetryTimeout time.Duration  `env:"MEMCACHESHARD_RETRY_TIMEOUT" envDefault:"2s" doc:"of that pool: how long it is left out, and a replica set aside"`
	Timeout      time.Duration  `env:"MEMCACHESHARD_TIMEOUT" envDefault:"1s" doc:"for an answer of a server, and for a connection to it, where the file says nothing"`

	Replicas     string `env:"MEMCACHESHARD_REPLICAS" doc:"further servers of shards, comma-separated: the name of a server of the pool and, after spaces, addresses that hold the same keys"`
	ReplicasFile string `env:"MEMCACHESHARD_REPLICAS_FILE" doc:"the same as a file, watched: a shard a line"`

	Down     downSwitch     `env:"MEMCACHESHARD_DOWN" envDefault:"error" doc:"what a client that asks for a key of a shard that is down is answered: error, or miss, which hides the failure from applications that take an error badly"`
	FlushAll process.Switch `env:"MEMCACHESHARD_FLUSH_ALL" envDefault:"off" doc:"on: clients may empty all servers by flush_all; off: it is refused"`

	Threads      int           `env:"MEMCACHESHARD_THREADS" envDefault:"1" doc:"threads that work at a time: 1 costs the least for each command, more serve more clients at a time where CPUs are free, 0 is one for each CPU"`
	Clients      int           `env:"MEMCACHESHARD_CLIENTS" envDefault:"4096" doc:"connections of clients of a pool, where the file has no client_connections; more are refused with an error"`
	Pipeline     int           `env:"MEMCACHESHARD_PIPELINE" envDefault:"1024" doc:"commands of one client without an answer; past it the client waits"`
	MaxItem      config.Size   `env:"MEMCACHESHARD_MAX_ITEM" envDefault:"1MiB" doc:"bytes of a value that a client may store; a larger one is refused"`
	MaxAnswer    config.Size   `env:"MEMCACHESHARD_MAX_ANSWER" envDefault:"16MiB" doc:"bytes of one answer of a server, which may be many values; a larger one is replaced by an error"`
	Memory       config.Size   `env:"MEMCACHESHARD_MEMORY" envDefault:"128MiB" doc:"bytes of answers and large commands of all clients; past it clients that hold more than 64KiB are cut off"`
	WriteTimeout time.Duration `env:"MEMCACHESHARD_WRITE_TIMEOUT" envDefault:"10s" doc:"for a client to take 64KiB of its answers; then it is cut off"`
	InFlight     int           `env:"MEMCACHESHARD_IN_FLIGHT" envDefault:"16384" doc:"commands without an answer on one connection to a server; past it clients wait"`

	// OnPools, when set, is told the addresses that were opened beside the first, by
	// pool.
	OnPools func(map[string]net.Addr) `env:"-"`
}

// downSwitch is error or miss.
type downSwitch bool

// UnmarshalText accepts error and miss.
func (d *downSwitch) UnmarshalText(text []byte) error {
	switch string(text) {
	case "error":
		*d = false
	case "miss":
		*d = true
	default:
		return fmt.Errorf("want error or miss")
	}
	return nil
}

// String writes the switch as UnmarshalText reads it.
func (d downSwitch) String() string {
	if d {
		return "miss"
	}
	return "error"
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	wrong.Want((c.ConfigFile == "") != (c.Servers == ""), "MEMCACHESHARD_CONFIG_FILE, MEMCACHESHARD_SERVERS", "set one of them: a nutcracker.yaml, or servers such as memcached-0:11211,memcached-1:11211")
	wrong.Want(c.Replicas == "" || c.ReplicasFile == "", "MEMCACHESHARD_REPLICAS, MEMCACHESHARD_REPLICAS_FILE", "set at most one of them")
	wrong.Want(c.Timeout >= time.Millisecond, "MEMCACHESHARD_TIMEOUT", "want at least 1ms")
	wrong.Want(c.WriteTimeout >= time.Millisecond, "MEMCACHESHARD_WRITE_TIMEOUT", "want at least 1ms")
	wrong.Want(c.Connections >= 1 && c.Connections <= 64, "MEMCACHESHARD_CONNECTIONS", "want 1 to 64")
	wrong.Want(c.FailureLimit >= 1, "MEMCACHESHARD_FAILURE_LIMIT", "want at least 1")
	wrong.Want(c.Threads >= 0 && c.Threads <= 1024, "MEMCACHESHARD_THREADS", "want 0 to 1024")
	wrong.Want(c.Clients >= 1, "MEMCACHESHARD_CLIENTS", "want at least 1")
	wrong.Want(c.Pipeline >= 1 && c.Pipeline <= 1<<20, "MEMCACHESHARD_PIPELINE", "want 1 to 1048576")
	wrong.Want(c.InFlight >= 1 && c.InFlight <= 1<<20, "MEMCACHESHARD_IN_FLIGHT", "want 1 to 1048576")
	wrong.Want(c.MaxItem >= 1<<10 && c.MaxItem <= 1<<30, "MEMCACHESHARD_MAX_ITEM", "want 1KiB to 1GiB")
	wrong.Want(c.MaxAnswer >= c.MaxItem+4<<10, "MEMCACHESHARD_MAX_ANSWER", "want at least MEMCACHESHARD_MAX_ITEM, which is %s, and 4KiB", c.MaxItem)
	wrong.Want(c.Memory >= c.MaxAnswer, "MEMCACHESHARD_MEMORY", "want at least MEMCACHESHARD_MAX_ANSWER, which is %s", c.MaxAnswer)
	if c.Servers != "" {
		if _, err := c.pool(); err != nil {
			wrong.Add("MEMCACHESHARD_SERVERS", "%v", err)
		}
	}
	return wrong.Err()
}

// pool is the one of MEMCACHESHARD_SERVERS.
func (c Config) pool() (nutcracker.Pool, error) {
	servers, err := nutcracker.ParseServers(c.Servers)
	if err != nil {
		return nutcracker.Pool{}, err
	}
	p := nutcracker.Pool{
		Name: "memcached", Listen: c.ListenAddr, Hash: c.Hash, HashTag: c.HashTag, Distribution: c.Distribution, Timeout: c.Timeout,
		ServerConnections: c.Connections, AutoEject: bool(c.AutoEject), FailureLimit: c.FailureLimit, RetryTimeout: c.RetryTimeout, Servers: servers,
	}
	return p, p.Check()
}
