package redisshard

import (
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Program is the ambassador as a process of the fleet.
var Program = process.Program{
	Name:  "redisshard",
	About: "spreads the keys of a Redis client over many servers, as twemproxy places them",
	// It stands beside its only client: nobody has to move away from it first.
	Defaults: map[string]string{"DRAIN_DELAY": "0s"},
	Calls:    []string{"Redis servers of its pools: RESP"},
}

// Config is the configuration of an ambassador.
type Config struct {
	process.Contract

	ConfigFile string `env:"REDISSHARD_CONFIG_FILE" doc:"nutcracker.yaml, watched; its pools with redis: true are served, each on its listen. LISTEN_ADDR, where it is not the default, stands for that of the first"`

	Servers      string         `env:"REDISSHARD_SERVERS" doc:"instead of a file: the servers of one pool, comma-separated, each host:port, host:port:weight or host:port:weight name"`
	Hash         string         `env:"REDISSHARD_HASH" envDefault:"fnv1a_64" doc:"of the pool of REDISSHARD_SERVERS: hash, by twemproxy's name"`
	HashTag      string         `env:"REDISSHARD_HASH_TAG" envDefault:"{}" doc:"of that pool: two characters; what a key has between them is what is hashed"`
	Distribution string         `env:"REDISSHARD_DISTRIBUTION" envDefault:"ketama" doc:"of that pool: ketama, modula or random"`
	Connections  int            `env:"REDISSHARD_CONNECTIONS" envDefault:"1" doc:"of that pool: connections to each server, for each version of the protocol"`
	AutoEject    process.Switch `env:"REDISSHARD_AUTO_EJECT" envDefault:"on" doc:"of that pool: on: a server that fails is left out, and its keys belong to the others"`
	FailureLimit int            `env:"REDISSHARD_FAILURE_LIMIT" envDefault:"2" doc:"of that pool: failures in a row that make a server be left out"`
	RetryTimeout time.Duration  `env:"REDISSHARD_RETRY_TIMEOUT" envDefault:"2s" doc:"of that pool: how long it is left out"`
	Timeout      time.Duration  `env:"REDISSHARD_TIMEOUT" envDefault:"1s" doc:"for an answer of a server, and for a connection to it, where the file says nothing"`

	Replicas []string `env:"REDISSHARD_REPLICAS" doc:"servers that are asked for reads in place of a shard, comma-separated: name=host:port each, by the name of the shard. What they answer may be a little old"`

	User               string         `env:"REDISSHARD_USER" envDefault:"default" doc:"user at the servers"`
	PasswordFile       string         `env:"REDISSHARD_PASSWORD_FILE" doc:"file with the password at the servers, read for each connection; redis_auth of a pool comes first"`
	ClientPasswordFile string         `env:"REDISSHARD_CLIENT_PASSWORD_FILE" doc:"file with the password that clients have to give, read at each login; redis_auth of a pool comes first; without both none is asked for"`
	TLS                process.Switch `env:"REDISSHARD_TLS" envDefault:"off" doc:"on: TLS to the servers"`
	CAFile             string         `env:"REDISSHARD_CA_FILE" doc:"PEM file, watched, of the authorities that certify the servers; the system's when empty"`
	ServerName         string         `env:"REDISSHARD_SERVER_NAME" doc:"name in the servers' certificates; the host of each when empty"`

	Threads      int           `env:"REDISSHARD_THREADS" envDefault:"1" doc:"threads that work at a time: 1 costs the least for each command, more serve more clients at a time where CPUs are free, 0 is one for each CPU"`
	Clients      int           `env:"REDISSHARD_CLIENTS" envDefault:"4096" doc:"connections of clients of a pool, where the file has no client_connections; more are refused with an error"`
	Pipeline     int           `env:"REDISSHARD_PIPELINE" envDefault:"1024" doc:"commands of one client without a reply; past it the client waits"`
	MaxCommand   config.Size   `env:"REDISSHARD_MAX_COMMAND" envDefault:"16MiB" doc:"bytes of one command; a client that sends a larger one is told and cut off"`
	MaxReply     config.Size   `env:"REDISSHARD_MAX_REPLY" envDefault:"16MiB" doc:"bytes of one reply; a larger one is replaced by an error"`
	ClientMemory config.Size   `env:"REDISSHARD_CLIENT_MEMORY" envDefault:"64MiB" doc:"bytes of replies that one client has not taken; past half of it its next commands wait, past it the client is cut off"`
	Memory       config.Size   `env:"REDISSHARD_MEMORY" envDefault:"256MiB" doc:"bytes of replies and large commands of all clients; past it all wait, past twice of it clients that hold more than 1MiB are cut off"`
	WriteTimeout time.Duration `env:"REDISSHARD_WRITE_TIMEOUT" envDefault:"10s" doc:"for a client to take 256 KiB of its replies; then it is cut off"`
	InFlight     int           `env:"REDISSHARD_IN_FLIGHT" envDefault:"16384" doc:"commands without a reply on one connection to a server; past it clients wait"`
	Watches      int           `env:"REDISSHARD_WATCHES" envDefault:"64" doc:"clients that WATCH keys of one server, each with a connection of its own; more are refused with an error"`

	// OnPools, when set, is told the addresses that were opened, by pool.
	OnPools func(map[string]net.Addr) `env:"-"`
}

// validate finds what a type cannot express.
func (c Config) validate() error {
	var wrong config.Error
	wrong.Want((c.ConfigFile == "") != (c.Servers == ""), "REDISSHARD_CONFIG_FILE, REDISSHARD_SERVERS", "set one of them: a nutcracker.yaml, or servers such as redis-0:6379,redis-1:6379")
	wrong.Want(c.Timeout >= time.Millisecond, "REDISSHARD_TIMEOUT", "want at least 1ms")
	wrong.Want(c.WriteTimeout >= time.Millisecond, "REDISSHARD_WRITE_TIMEOUT", "want at least 1ms")
	wrong.Want(c.Connections >= 1 && c.Connections <= 64, "REDISSHARD_CONNECTIONS", "want 1 to 64")
	wrong.Want(c.FailureLimit >= 1, "REDISSHARD_FAILURE_LIMIT", "want at least 1")
	for _, n := range []struct {
		name  string
		value int
	}{{"CLIENTS", c.Clients}, {"PIPELINE", c.Pipeline}, {"IN_FLIGHT", c.InFlight}, {"WATCHES", c.Watches}} {
		wrong.Want(n.value >= 1, "REDISSHARD_"+n.name, "want at least 1")
	}
	wrong.Want(c.Threads >= 0 && c.Threads <= 1024, "REDISSHARD_THREADS", "want 0 to 1024")
	wrong.Want(c.MaxCommand >= 1<<10, "REDISSHARD_MAX_COMMAND", "want at least 1KiB")
	wrong.Want(c.MaxReply >= 1<<10, "REDISSHARD_MAX_REPLY", "want at least 1KiB")
	wrong.Want(c.ClientMemory >= 2*c.MaxReply, "REDISSHARD_CLIENT_MEMORY", "want at least twice REDISSHARD_MAX_REPLY, which is %s", c.MaxReply)
	wrong.Want(c.Memory >= c.ClientMemory, "REDISSHARD_MEMORY", "want at least REDISSHARD_CLIENT_MEMORY, which is %s", c.ClientMemory)
	wrong.Want(bool(c.TLS) || c.CAFile == "" && c.ServerName == "", "REDISSHARD_TLS", "is off, so REDISSHARD_CA_FILE and REDISSHARD_SERVER_NAME have no meaning")
	if _, err := c.replicas(); err != nil {
		wrong.Add("REDISSHARD_REPLICAS", "%v", err)
	}
	if c.Servers != "" {
		if _, err := c.pool(); err != nil {
			wrong.Add("REDISSHARD_SERVERS", "%v", err)
		}
	}
	return wrong.Err()
}

// pool is the one of REDISSHARD_SERVERS.
func (c Config) pool() (nutcracker.Pool, error) {
	servers, err := nutcracker.ParseServers(c.Servers)
	if err != nil {
		return nutcracker.Pool{}, err
	}
	p := nutcracker.Pool{
		Name: "redis", Listen: c.ListenAddr, Redis: true, Hash: c.Hash, HashTag: c.HashTag, Distribution: c.Distribution, Timeout: c.Timeout,
		ServerConnections: c.Connections, AutoEject: bool(c.AutoEject), FailureLimit: c.FailureLimit, RetryTimeout: c.RetryTimeout, Servers: servers,
	}
	return p, p.Check()
}
