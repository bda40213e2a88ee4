package experiments

import (
	"context"
	"fmt"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// shardedServers is how many servers the placement is compared over.
const shardedServers = 5

// placedAsNginx asks a real nginx and shardproxy, which have the same servers, who answers.
func placedAsNginx(ctx context.Context, r *proof.Report) error {
	if err := rig.Need("nginx"); err != nil {
		return err
	}
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "shardproxy"); err != nil {
		return err
	}
	servers, err := g.NginxShards(ctx, shardedServers, 16)
	if err != nil {
		return err
	}
	for i, c := range []struct {
		name    string
		weights [shardedServers]int
		down    int
	}{
		{"equal weights", [shardedServers]int{1, 1, 1, 1, 1}, -1},
		{"weights 1, 5, 2, 1, 3", [shardedServers]int{1, 5, 2, 1, 3}, -1},
		{"one server down", [shardedServers]int{1, 1, 2, 1, 1}, 2},
	} {
		var theirs, ours []string
		for n, addr := range servers {
			line, replicas := fmt.Sprintf("%s weight=%d", addr, c.weights[n]), addr
			if n == c.down {
				line += " down"
				if replicas, err = rig.Addr(); err != nil { // where nobody listens
					return err
				}
			}
			theirs, ours = append(theirs, line), append(ours, shardEntry(addr, c.weights[n], replicas))
		}
		if err := comparePlacement(ctx, r, g, fmt.Sprint(i+1), c.name, theirs, ours); err != nil {
			return err
		}
	}
	r.Note("Both are asked end to end, over HTTP; every server answers with its address. The server that is down is down in nginx's configuration, and refuses connections behind shardproxy.")
	return nil
}

func comparePlacement(ctx context.Context, r *proof.Report, g *rig.Rig, number, name string, theirs, ours []string) error {
	n, err := g.NginxConsistent(ctx, "nginx-shards-"+number, theirs)
	if err != nil {
		return err
	}
	defer n.Kill()
	s, err := shardproxyBefore(ctx, g, "shardproxy-"+number, ours, nil)
	if err != nil {
		return err
	}
	defer s.Kill()
	uris := 10_000
	if r.Quick {
		uris = 1_000
	}
	differences := 0
	nginx, err := plain(n.Data)
	if err != nil {
		return err
	}
	defer nginx.Close()
	proxy, err := plain(s.Data)
	if err != nil {
		return err
	}
	defer proxy.Close()
	for i := range uris {
		path := fmt.Sprintf("/word/%d?lang=%%c3%%a9&n=%d", i, i*i)
		a, b := nginx.Get(ctx, path, nil), proxy.Get(ctx, path, nil)
		for _, answer := range []openloop.Answer{a, b} {
			if answer.Err != nil || answer.Status != 200 || answer.ServedBy == "" {
				return fmt.Errorf("%s: ask for %s: status %d by %q, %w", name, path, answer.Status, answer.ServedBy, answer.Err)
			}
		}
		if a.ServedBy != b.ServedBy {
			differences++
		}
	}
	r.Claim(proof.Exactly("URIs that lie elsewhere than with nginx, "+name, differences, 0, fmt.Sprintf("of %d", uris)))
	return nil
}
