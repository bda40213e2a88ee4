package rig

import (
	"context"
	"net"
)

// MemcachedServer starts a real memcached of one thread.
func (g *Rig) MemcachedServer(ctx context.Context, name string, cpus ...int) (*Proc, error) {
	path, err := Find("memcached")
	if err != nil {
		return nil, err
	}
	listen, err := Addr()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	p, err := g.Start(ctx, Spec{
		Name: name, Path: path, Args: []string{"-p", port, "-l", "127.0.0.1", "-U", "0", "-m", "64", "-t", "1", "-u", "nobody"},
		CPUs: cpus, Probe: "tcp:" + listen,
	})
	if err != nil {
		return nil, err
	}
	p.Data = listen
	return p, nil
}
