package experiments

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// ambassador is a sharding ambassador, and what is special to its protocol.
type ambassador struct {
	program string // of the tree
	backend string // of the tree; its pool has this name too
	prefix  string // of its parameters

	// server starts a real server, whose program is called peer.
	peer   string
	server func(ctx context.Context, g *rig.Rig, name string) (*rig.Proc, error)

	dial func(ctx context.Context, addr string) (keeper, error)
	// oddKey is a key of bytes that no sane application uses, all of them allowed.
	oddKey func(random *rand.Rand) string
	// load is a round of commands "SET" or "GET" that takes about span.
	load loader
}

// loader makes a side of a duel, in which so many commands are under way on each of 50
// connections to p.
type loader func(ctx context.Context, g *rig.Rig, name string, p *rig.Proc, command string, pipeline int, span time.Duration) (duel.Side, error)

// keeper is a client of a store of keys and values.
type keeper interface {
	// touch writes a key, or reads it, and tells whether the answer was an error.
	touch(key string, write bool) (failed bool, err error)
	// setAll writes value under all keys; an answer that is an error is one of its own.
	setAll(keys []string, value string) error
	// getAll reads keys: values, "nil" for nothing, or what isError knows.
	getAll(keys []string) ([]string, error)
	isError(answer string) bool
	close()
}

// shards are servers with the addresses under which proxies know them, as
// "host:port:weight name".
type shards struct {
	procs   []*rig.Proc
	servers []string
}

// real starts real servers of weight 1.
func (a ambassador) real(ctx context.Context, g *rig.Rig, n int) (shards, error) {
	var s shards
	for i := range n {
		p, err := a.server(ctx, g, fmt.Sprintf("shard-%d", i))
		if err != nil {
			return s, err
		}
		s.procs = append(s.procs, p)
		s.servers = append(s.servers, fmt.Sprintf("%s:1 server%d", p.Data, i))
	}
	return s, nil
}

// embedded starts shards of the tree, with an ambassador that ejects one after its
// first failure. through, where it is not nil, gives the address under which the
// ambassador knows a shard.
func (a ambassador) embedded(ctx context.Context, g *rig.Rig, n int, through func(i int, p *rig.Proc) (string, error)) (procs []*rig.Proc, before *rig.Proc, err error) {
	var servers []string
	for i := range n {
		p, err := g.Service(ctx, a.backend, fmt.Sprintf("shard-%d", i), map[string]string{"DRAIN_DELAY": "0s"})
		if err != nil {
			return nil, nil, err
		}
		addr := p.Data
		if through != nil {
			if addr, err = through(i, p); err != nil {
				return nil, nil, err
			}
		}
		procs, servers = append(procs, p), append(servers, fmt.Sprintf("%s:1 server%d", addr, i))
	}
	before, err = a.start(ctx, g, servers, map[string]string{
		"HASH": "murmur", "TIMEOUT": shardTimeout.String(), "FAILURE_LIMIT": "1", "RETRY_TIMEOUT": shardRetry.String(),
	})
	return procs, before, err
}

// start starts the ambassador before servers, with parameters that lack their prefix.
func (a ambassador) start(ctx context.Context, g *rig.Rig, servers []string, parameters map[string]string) (*rig.Proc, error) {
	env := map[string]string{a.prefix + "SERVERS": strings.Join(servers, ",")}
	for name, value := range parameters {
		env[a.prefix+name] = value
	}
	return g.Service(ctx, a.program, a.program, env)
}
