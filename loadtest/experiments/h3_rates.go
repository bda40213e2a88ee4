package experiments

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/closedloop"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// manyURIs makes wrk ask for one URI after the other, so that all shards are asked.
const manyURIs = `local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "/word/" .. (n % 10000) .. "?n=" .. n % 7)
end
`

// shardedRates compares proxies before the same three servers, each on the first CPU.
func shardedRates(ctx context.Context, r *proof.Report) error {
	if err := rig.Need("nginx", "wrk"); err != nil {
		return err
	}
	g := rig.New(r)
	defer g.Close()
	sides, script, loadCPU, err := shardedField(ctx, g)
	if err != nil {
		return err
	}
	span := r.Span(8*time.Second, time.Second)
	load := func(p *rig.Proc, d time.Duration) closedloop.Load {
		return closedloop.Load{URL: "http://" + p.Data + "/", Duration: d, CPUs: []int{loadCPU}, Server: p.PID(), Script: script}
	}
	side := func(label string, p *rig.Proc) duel.Side {
		return duel.Side{Name: label, Round: func(ctx context.Context) (duel.Sample, error) { return closedloop.Wrk(ctx, load(p, span)) }}
	}
	out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
		side("shardproxy", sides[0]), side("nginx, hash … consistent", sides[1]), side("httputil.ReverseProxy", sides[2]))
	if err != nil {
		return missing(err)
	}
	ours, nginx, httputil := out[0], out[1], out[2]
	r.Claim(proof.AtLeast("rate beside nginx", ours.Rate()/nginx.Rate(), 0.5, "×"))
	r.Claim(proof.AtLeast("rate beside httputil.ReverseProxy", ours.Rate()/httputil.Rate(), 1, "×"))
	r.Measured("CPU per request beside nginx", ratio(ours.CPUPerOp(), nginx.CPUPerOp()), "×")
	r.Measured("httputil.ReverseProxy: rate beside nginx", httputil.Rate()/nginx.Rate(), "×")
	r.Table(duelTable(fmt.Sprintf("1 KiB over plain HTTP/1.1, 64 connections, one CPU for the proxy, medians of %d alternated rounds", r.Rounds()), out))
	r.Note("10,000 URIs in turn over three servers, an nginx on the CPU of the load generator. httputil.ReverseProxy places nothing: it has one of them as its upstream. A proxy that uses less than its CPU (see CPUs busy) waited for the load.")
	if err := profile(ctx, r, sides[0], func(ctx context.Context, d time.Duration) error {
		_, err := closedloop.Wrk(ctx, load(sides[0], d))
		return err
	}); err != nil {
		return err
	}
	return r.Chart("rates", rateBars("HTTP/1.1 through one CPU to one of three shards", out, 0.5*nginx.Rate()))
}

// shardedField starts shardproxy, nginx and httputil before the same servers, and writes the
// script for the load.
func shardedField(ctx context.Context, g *rig.Rig) (sides []*rig.Proc, script string, loadCPU int, err error) {
	serverCPU, loadCPU, err := rig.TwoCPUs()
	if err != nil {
		return nil, "", 0, err
	}
	if err := g.Build(ctx, "shardproxy", "httputil"); err != nil {
		return nil, "", 0, err
	}
	servers, err := g.NginxShards(ctx, 3, 1024, loadCPU)
	if err != nil {
		return nil, "", 0, err
	}
	var shards []string
	for _, addr := range servers {
		shards = append(shards, shardEntry(addr, 1, addr))
	}
	s, err := shardproxyBefore(ctx, g, "shardproxy", shards, nil, serverCPU)
	if err != nil {
		return nil, "", 0, err
	}
	nginx, err := g.NginxConsistent(ctx, "nginx-shards", servers, serverCPU)
	if err != nil {
		return nil, "", 0, err
	}
	httputil, err := g.Peer(ctx, "httputil", "", "", "http://"+servers[0], serverCPU)
	if err != nil {
		return nil, "", 0, err
	}
	script = filepath.Join(g.Dir, "uris.lua")
	return []*rig.Proc{s.Proc, nginx, httputil}, script, loadCPU, os.WriteFile(script, []byte(manyURIs), 0o644)
}
