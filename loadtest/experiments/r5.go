package experiments

import (
	"context"
	"os"
	"path/filepath"

	"github.com/flotilla-dev/flotilla/internal/certs"
	"github.com/flotilla-dev/flotilla/internal/certs/authority"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

func r5() proof.Pattern {
	return proof.Pattern{ID: "R5", Title: "TLS edge", Page: "r5-edge.md", Experiments: []proof.Experiment{
		{Name: "http1", Question: "How many requests per second does one CPU of edge pass on over TLS and HTTP/1.1, beside nginx?", Run: edgeHTTP1},
		{Name: "http2", Question: "And over HTTP/2, beside what net/http can reach at all?", Run: edgeHTTP2},
		{Name: "handshakes", Question: "How many full TLS 1.3 handshakes per second, beside nginx?", Run: handshakes},
		{Name: "slowloris", Question: "Do 1,000 connections that send their requests byte by byte slow other users down?", Run: slowloris},
	}}
}

// site is the name that all edges of these experiments serve.
const site = "dictionary.localhost"

const edgeRoutes = `upstreams:
  app:
    address: ${EDGE_UPSTREAM_APP}
hosts:
  - names: [dictionary.localhost]
    routes:
      - path: /
        upstream: app
`

// pair is an authority with one certificate for site.
type pair struct {
	certs.Pair
	authority *authority.Authority
}

func newPair(g *rig.Rig) (pair, error) {
	a, err := authority.New(g.Dir)
	if err != nil {
		return pair{}, err
	}
	files, err := a.Issue("edge", site)
	return pair{files, a}, err
}

// edgeBefore starts the edge before an upstream, with its access log on.
func edgeBefore(ctx context.Context, g *rig.Rig, upstream string, p pair, cpus ...int) (*rig.Proc, error) {
	routes := filepath.Join(g.Dir, "routes.yaml")
	if err := os.WriteFile(routes, []byte(edgeRoutes), 0o644); err != nil {
		return nil, err
	}
	return g.Service(ctx, "edge", "edge", map[string]string{
		"TLS_CERT_FILE": p.CertFile, "TLS_KEY_FILE": p.KeyFile, "EDGE_ROUTES_FILE": routes, "EDGE_UPSTREAM_APP": upstream,
		"EDGE_HTTP_ADDR": "off", "EDGE_HTTP3_ADDR": "off",
	}, cpus...)
}
