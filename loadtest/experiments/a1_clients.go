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
	procs, ambassador, err := ofRedis().embedded(ctx, g, 3, nil)
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
