package experiments

import (
	"context"
	"fmt"

	"github.com/flotilla-dev/flotilla/internal/cable"
	"github.com/flotilla-dev/flotilla/internal/ring"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// byAddress shows the book's warning. Two caches stand before three replicas, once
// behind a balancer that goes by the address of its client, as a Service with
// sessionAffinity ClientIP does, and once by the cookie.
func byAddress(ctx context.Context, r *proof.Report) error {
	sessions := 600
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "cache", "dictionary"); err != nil {
		return err
	}
	replicas, err := g.Dictionaries(ctx, 3, map[string]string{"LOG_LEVEL": "WARN"})
	if err != nil {
		return err
	}
	table := proof.Table{Title: fmt.Sprintf("Sessions per replica, of %d over two caches", sessions), Columns: []string{"replica", "by client address", "by cookie"}}
	var columns [2][]string
	disagree := 0
	for column, byCookie := range []bool{false, true} {
		caches, err := twoCaches(ctx, g, replicas, byCookie)
		if err != nil {
			return err
		}
		var seen [2][]string
		for i, cache := range caches {
			if seen[i], err = placesBehind(ctx, cache, sessions); err != nil {
				return err
			}
		}
		// Half of the users reach the one cache, half the other.
		columns[column] = append(seen[0][:sessions/2:sessions/2], seen[1][sessions/2:]...)
		if byCookie {
			disagree, _ = moved(seen[0], seen[1], "")
		}
	}
	busy := [2]int{}
	for _, p := range replicas {
		row := []string{p.Spec.Name, counted(columns[0], p.Spec.Name), counted(columns[1], p.Spec.Name)}
		for column := range busy {
			if row[column+1] != "0" {
				busy[column]++
			}
		}
		table.Rows = append(table.Rows, row)
	}
	r.Claim(proof.AtMost("replicas with traffic, by client address", float64(busy[0]), 2, "of 3"))
	r.Claim(proof.Exactly("replicas with traffic, by cookie", busy[1], 3, "of 3"))
	r.Claim(proof.Exactly("sessions that the two caches would send to different replicas, by cookie", disagree, 0, "sessions"))
	r.Table(table)
	r.Note("On one machine both caches come from the same address. Each is therefore given a balancer address of its own, which stands for its client address; the balancer hashes it with the fleet's ring and joins the connections.")
	return nil
}

func placesBehind(ctx context.Context, cache *rig.Proc, sessions int) ([]string, error) {
	client, err := plain(cache.Data)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return places(ctx, client, sessions)
}

func twoCaches(ctx context.Context, g *rig.Rig, replicas []*rig.Proc, byCookie bool) ([]*rig.Proc, error) {
	var caches []*rig.Proc
	for i := range 2 {
		upstream := rig.Upstreams(replicas...)
		if !byCookie {
			addr, err := addressBalancer(g, fmt.Sprintf("10.0.0.%d", 11+i), replicas)
			if err != nil {
				return nil, err
			}
			upstream = addr
		}
		p, err := cacheBefore(ctx, g, fmt.Sprintf("cache-%d-cookie-%v", i+1, byCookie), upstream, map[string]string{"CACHE_POLICY_FILE": g.Policy()})
		if err != nil {
			return nil, err
		}
		caches = append(caches, p)
	}
	return caches, nil
}

// addressBalancer is a layer-4 balancer as one client address sees it: it joins
// every connection with the replica that the ring gives for that address.
func addressBalancer(g *rig.Rig, client string, replicas []*rig.Proc) (string, error) {
	var names []string
	for _, p := range replicas {
		names = append(names, p.Spec.Name)
	}
	circle, err := ring.New(ring.Options{}, ring.Named(names...)...)
	if err != nil {
		return "", err
	}
	owner, target := circle.Owner(client), ""
	for _, p := range replicas {
		if p.Spec.Name == owner {
			target = p.Data
		}
	}
	balancer, err := cable.Lay("tcp", target)
	if err != nil {
		return "", err
	}
	g.Defer(balancer.Close)
	return balancer.Addr(), nil
}
