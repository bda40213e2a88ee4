package rig

import (
	"context"
	"net"
	"path/filepath"
	"strings"
)

// NginxEdge starts nginx as a TLS edge before an upstream.
func (g *Rig) NginxEdge(ctx context.Context, name, upstream, cert, key string, cpus ...int) (*Proc, error) {
	listen, err := Addr()
	if err != nil {
		return nil, err
	}
	return g.nginx(ctx, "nginx/edge.conf.tmpl", "nginx-edge", listen, map[string]any{
		"Dir": g.Dir, "Listen": listen, "Name": name, "Upstream": upstream, "Cert": cert, "Key": key,
	}, cpus...)
}

// NginxUpstream starts nginx as an upstream that answers size bytes.
func (g *Rig) NginxUpstream(ctx context.Context, size int, cpus ...int) (*Proc, error) {
	listen, err := Addr()
	if err != nil {
		return nil, err
	}
	return g.nginx(ctx, "nginx/upstream.conf.tmpl", "nginx-upstream", listen, map[string]any{
		"Dir": g.Dir, "Listen": listen, "Body": strings.Repeat("x", size),
	}, cpus...)
}

// NginxShards starts nginx as n servers that answer size bytes and their own address, and
// returns their addresses.
func (g *Rig) NginxShards(ctx context.Context, n, size int, cpus ...int) ([]string, error) {
	var servers []string
	for range n {
		addr, err := Addr()
		if err != nil {
			return nil, err
		}
		servers = append(servers, addr)
	}
	_, err := g.nginx(ctx, "nginx/shard-origins.conf.tmpl", "shard-origins", servers[0], map[string]any{
		"Dir": g.Dir, "Servers": servers, "Body": strings.Repeat("x", size),
	}, cpus...)
	return servers, err
}

// NginxConsistent starts nginx with "hash $request_uri consistent" over servers as its
// configuration has them: an address, and perhaps weight=N or down.
func (g *Rig) NginxConsistent(ctx context.Context, name string, servers []string, cpus ...int) (*Proc, error) {
	listen, err := Addr()
	if err != nil {
		return nil, err
	}
	return g.nginx(ctx, "nginx/shards.conf.tmpl", name, listen, map[string]any{"Dir": g.Dir, "Name": name, "Listen": listen, "Servers": servers}, cpus...)
}

func (g *Rig) nginx(ctx context.Context, source, name, listen string, values map[string]any, cpus ...int) (*Proc, error) {
	if err := Need("nginx"); err != nil {
		return nil, err
	}
	path, err := Find("nginx")
	if err != nil {
		return nil, err
	}
	conf, err := g.Render(source, name+".conf", values)
	if err != nil {
		return nil, err
	}
	p, err := g.Start(ctx, Spec{Name: name, Path: path, Args: []string{"-e", filepath.Join(g.Dir, name+".err"), "-p", g.Dir, "-c", conf}, CPUs: cpus, Probe: "tcp:" + listen})
	if err != nil {
		return nil, err
	}
	p.Data = listen
	return p, nil
}

// Varnish starts varnishd before an origin.
func (g *Rig) Varnish(ctx context.Context, origin string) (*Proc, error) {
	if err := Need("varnishd"); err != nil {
		return nil, err
	}
	listen, err := Addr()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(origin)
	if err != nil {
		return nil, err
	}
	vcl, err := g.Render("varnish/cache.vcl.tmpl", "cache.vcl", map[string]string{"Host": host, "Port": port})
	if err != nil {
		return nil, err
	}
	start := filepath.Join(g.Root, "loadtest/peers/varnish/start.sh")
	p, err := g.Start(ctx, Spec{Name: "varnish", Path: start, Args: []string{listen, vcl, filepath.Join(g.Dir, "varnish")}, Probe: "http://" + listen + "/1/probe"})
	if err != nil {
		return nil, err
	}
	p.Data = listen
	return p, nil
}

// Peer starts one of loadtest/peers' programs: TLS before an upstream, or plain HTTP where
// there is no certificate and the program can do without.
func (g *Rig) Peer(ctx context.Context, program, cert, key, upstream string, cpus ...int) (*Proc, error) {
	listen, err := Addr()
	if err != nil {
		return nil, err
	}
	p, err := g.Start(ctx, Spec{Name: program, Path: g.Bin(program), Args: []string{"-listen", listen, "-cert", cert, "-key", key, "-upstream", upstream}, CPUs: cpus, Probe: "tcp:" + listen})
	if err != nil {
		return nil, err
	}
	p.Data = listen
	return p, nil
}
