package nutcracker

import (
	"time"

	"github.com/flotilla-dev/flotilla/internal/sharding"
)

// Pool is a pool of the file, with twemproxy's defaults filled in.
type Pool struct {
	Name         string
	Listen       string // host:port
	Hash         string // name of a function of package sharding
	HashTag      string // two characters, or ""
	Distribution string // name of a distribution of package sharding
	Redis        bool   // the servers speak Redis; else memcached
	RedisAuth    string // password of the servers, and of the clients
	RedisDB      int

	Timeout           time.Duration // for an answer; 0: none set
	ClientConnections int           // 0: none set
	ServerConnections int           // to each server
	Preconnect        bool          // connect before the first request

	AutoEject    bool          // leave servers out that fail
	RetryTimeout time.Duration // for how long
	FailureLimit int           // failures in a row that make one fail

	// Servers are in the order in which twemproxy numbers them: by the length of
	// the name, then by the name.
	Servers []Server

	Ignored []string // keys of the file that have no effect here
}

// Check finds what would keep a placement from being built of the pool.
func (p Pool) Check() error {
	_, err := p.check()
	return err
}

func (p Pool) check() (sharding.Hash, error) {
	hash, err := sharding.HashNamed(p.Hash)
	if err != nil {
		return nil, err
	}
	return hash, sharding.Check(p.Distribution, weights(p.Servers))
}

// Server is a server of a pool. It is comparable: a server that is equal before
// and after a change of the file is the same one.
type Server struct {
	Name   string // what the distribution hashes
	Addr   string // host:port
	Weight int
}

// Defaults of twemproxy.
const (
	defaultHash              = "fnv1a_64"
	defaultDistribution      = "ketama"
	defaultRetryTimeout      = 30 * time.Second
	defaultFailureLimit      = 2
	defaultServerConnections = 1
)

func newPool(name string) Pool {
	return Pool{
		Name: name, Hash: defaultHash, Distribution: defaultDistribution, RetryTimeout: defaultRetryTimeout,
		FailureLimit: defaultFailureLimit, ServerConnections: defaultServerConnections,
	}
}

// Bounds of a file: past these it is a mistake, and not a configuration.
const (
	maxPools       = 64
	maxServers     = 1024
	maxWeight      = 1 << 16
	maxConnections = 1 << 16
	maxMillis      = 24 * 60 * 60 * 1000
	maxName        = 255
)
