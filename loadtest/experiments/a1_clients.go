package experiments

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// manyClients opens clients that all stay, each with a command answered, and
// asks the shards how many connections they have.
func manyClients(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "redisshard", "redis"); err != nil {
		return err
	}
	procs, ambassador, err := embeddedShards(ctx, g, 3, nil)
	if err != nil {
		return err
	}
	idle, err := machine.PSS(ambassador.PID())
	if err != nil {
		return err
	}
	clients := 2000
	if r.Quick {
		clients = 200
	}
	for i := range clients {
		c, err := dialRedis(ctx, ambassador.Data)
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		defer c.close()
		key := fmt.Sprint("key-", i)
		if answer, err := c.do("SET", key, key); err != nil || answer != "+OK" {
			return fmt.Errorf("client %d: %q, %w", i, answer, err)
		}
	}
	connections := 0
	for _, p := range procs {
		n, err := connectionsOf(ctx, p)
		if err != nil {
			return err
		}
		connections += n
	}
	full, err := machine.PSS(ambassador.PID())
	if err != nil {
		return err
	}
	r.Claim(proof.AtMost(fmt.Sprintf("connections to 3 shards, for %d clients", clients), float64(connections), 3, ""))
	r.Claim(proof.AtMost("memory for each client", float64(full-idle)/float64(clients)/1024, 32, "KiB"))
	r.Measured("memory before the first client", float64(idle)/(1<<20), "MiB")
	r.Measured(fmt.Sprintf("memory with %d clients", clients), float64(full)/(1<<20), "MiB")
	r.Note("Without an ambassador, and with connections of their own to each shard, the clients would need %d.", 3*clients)
	return nil
}

// embeddedShards starts shards of the tree, with an ambassador that ejects one
// after its first failure, for two seconds. through, where it is not nil, gives
// the address under which the ambassador knows a shard.
func embeddedShards(ctx context.Context, g *rig.Rig, n int, through func(i int, p *rig.Proc) (string, error)) (procs []*rig.Proc, ambassador *rig.Proc, err error) {
	var servers []string
	for i := range n {
		p, err := g.Service(ctx, "redis", fmt.Sprintf("shard-%d", i), map[string]string{"DRAIN_DELAY": "0s"})
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
	ambassador, err = g.Service(ctx, "redisshard", "redisshard", map[string]string{
		"REDISSHARD_SERVERS": strings.Join(servers, ","), "REDISSHARD_HASH": "murmur", "REDISSHARD_TIMEOUT": shardTimeout.String(),
		"REDISSHARD_FAILURE_LIMIT": "1", "REDISSHARD_RETRY_TIMEOUT": shardRetry.String(),
	})
	return procs, ambassador, err
}

// connectionsOf asks a server how many clients it has, beside the one that asks.
func connectionsOf(ctx context.Context, p *rig.Proc) (int, error) {
	c, err := dialRedis(ctx, p.Data)
	if err != nil {
		return 0, err
	}
	defer c.close()
	info, err := c.do("INFO", "clients")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "connected_clients:"); found {
			n, err := strconv.Atoi(value)
			return n - 1, err
		}
	}
	return 0, fmt.Errorf("INFO does not tell the clients: %q", info)
}
