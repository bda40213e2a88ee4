package rig

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// RedisServer starts a real Redis without snapshots, with more arguments.
func (g *Rig) RedisServer(ctx context.Context, name string, more ...string) (*Proc, error) {
	return g.foreign(ctx, name, "redis-server", func(port string) []string {
		return append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", g.Dir, "--dbfilename", name + ".rdb", "--appenddirname", name}, more...)
	})
}

// MemcachedServer starts a real memcached of one thread.
func (g *Rig) MemcachedServer(ctx context.Context, name string) (*Proc, error) {
	return g.foreign(ctx, name, "memcached", func(port string) []string {
		return []string{"-p", port, "-l", "127.0.0.1", "-U", "0", "-m", "64", "-t", "1", "-u", "nobody"}
	})
}

// foreign starts a program that is not of the tree on a free port of loopback.
func (g *Rig) foreign(ctx context.Context, name, program string, args func(port string) []string) (*Proc, error) {
	path, err := Find(program)
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
	p, err := g.Start(ctx, Spec{Name: name, Path: path, Args: args(port), Probe: "tcp:" + listen})
	if err != nil {
		return nil, err
	}
	p.Data = listen
	return p, nil
}

// ShardPool is a pool of a nutcracker.yaml.
type ShardPool struct {
	Name, Listen, Hash, Distribution string
	Servers                          []string // host:port:weight name
	Memcached                        bool     // else Redis
}

// Nutcracker writes a configuration of pools that eject a server for retry
// milliseconds after its first failure.
func (g *Rig) Nutcracker(name string, retry int, pools ...ShardPool) (string, error) {
	var b strings.Builder
	for _, p := range pools {
		fmt.Fprintf(&b, "%s:\n  listen: %s\n  hash: %s\n  distribution: %s\n  hash_tag: \"{}\"\n  auto_eject_hosts: true\n  redis: %t\n", p.Name, p.Listen, p.Hash, p.Distribution, !p.Memcached)
		fmt.Fprintf(&b, "  timeout: 400\n  server_retry_timeout: %d\n  server_failure_limit: 1\n  servers:\n   - %s\n", retry, strings.Join(p.Servers, "\n   - "))
	}
	path := filepath.Join(g.Dir, name+".yaml")
	return path, os.WriteFile(path, []byte(b.String()), 0o644)
}

// Twemproxy starts twemproxy with a configuration, of which listen is an address. The
// port that it is given is that of its statistics.
func (g *Rig) Twemproxy(ctx context.Context, conf, listen string) (*Proc, error) {
	p, err := g.foreign(ctx, "twemproxy", "nutcracker", func(port string) []string {
		return []string{"-c", conf, "-a", "127.0.0.1", "-s", port, "-p", filepath.Join(g.Dir, "twemproxy.pid"), "-v", "0"}
	})
	if err != nil {
		return nil, err
	}
	p.Data = listen
	return p, nil
}
