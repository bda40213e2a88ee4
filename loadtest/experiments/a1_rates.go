package experiments

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/closedloop"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// shardRates compares redisshard with twemproxy in front of the same three Redis
// servers. Nothing is pinned: both share the machine with servers and load.
func shardRates(pipeline int) func(context.Context, *proof.Report) error {
	return func(ctx context.Context, r *proof.Report) error {
		if err := rig.Need("nutcracker", "redis-server", "redis-benchmark"); err != nil {
			return err
		}
		g := rig.New(r)
		defer g.Close()
		if err := g.Build(ctx, "redisshard"); err != nil {
			return err
		}
		ours, theirs, err := beforeTheSameShards(ctx, g)
		if err != nil {
			return err
		}
		span := r.Span(6*time.Second, time.Second)
		for _, test := range []string{"set", "get"} {
			a, err := benchmarkSide("redisshard", ours, test, pipeline, span)
			if err != nil {
				return err
			}
			b, err := benchmarkSide("twemproxy", theirs, test, pipeline, span)
			if err != nil {
				return err
			}
			out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log}, a, b)
			if err != nil {
				return missing(err)
			}
			if err := reportShardRates(r, strings.ToUpper(test), pipeline, out); err != nil {
				return err
			}
		}
		r.Note("redis-benchmark, 50 connections, values of 64 bytes, 100,000 keys; three redis-server, fnv1a_64 and ketama; nothing is pinned.")
		return profile(ctx, r, ours, func(ctx context.Context, d time.Duration) error {
			side, err := benchmarkSide("", ours, "get", pipeline, d)
			if err != nil {
				return err
			}
			_, err = side.Round(ctx)
			return err
		})
	}
}

func beforeTheSameShards(ctx context.Context, g *rig.Rig) (ours, theirs *rig.Proc, err error) {
	s, err := realShards(ctx, g, 3)
	if err != nil {
		return nil, nil, err
	}
	listen, err := rig.Addr()
	if err != nil {
		return nil, nil, err
	}
	conf, err := g.Nutcracker("twemproxy", 2000, rig.ShardPool{Name: "redis", Listen: listen, Hash: "fnv1a_64", Distribution: "ketama", Servers: s.servers})
	if err != nil {
		return nil, nil, err
	}
	if theirs, err = g.Twemproxy(ctx, conf, listen); err != nil {
		return nil, nil, err
	}
	ours, err = g.Service(ctx, "redisshard", "redisshard", map[string]string{"REDISSHARD_SERVERS": strings.Join(s.servers, ","), "REDISSHARD_TIMEOUT": "5s"})
	return ours, theirs, err
}

const benchmarkKeys = 100_000

// benchmarkSide runs redis-benchmark for about so long: a first short run tells
// how many commands that is.
func benchmarkSide(name string, p *rig.Proc, test string, pipeline int, span time.Duration) (duel.Side, error) {
	load := closedloop.RedisLoad{Addr: p.Data, Test: test, Pipeline: pipeline, Requests: 20_000 * pipeline, Keys: benchmarkKeys, Server: p.PID()}
	first, err := closedloop.RedisBenchmark(context.Background(), load)
	if err != nil {
		return duel.Side{}, missing(err)
	}
	load.Requests = max(int(first.Rate()*span.Seconds()), load.Requests)
	return duel.Side{Name: name, Round: func(ctx context.Context) (duel.Sample, error) { return closedloop.RedisBenchmark(ctx, load) }}, nil
}

func reportShardRates(r *proof.Report, test string, pipeline int, out []duel.Outcome) error {
	ours, theirs := out[0], out[1]
	r.Claim(proof.AtLeast(test+": rate beside twemproxy", ours.Rate()/theirs.Rate(), 0.95, "×"))
	r.Claim(proof.AtMost(test+": CPU per command beside twemproxy", ratio(ours.CPUPerOp(), theirs.CPUPerOp()), 1.5, "×"))
	r.Claim(proof.AtMost(test+": p99 beside twemproxy", ratio(ours.P99(), theirs.P99()), 1.3, "×"))
	r.Table(duelTable(fmt.Sprintf("%s, %d at a time, medians of %d alternated rounds", test, pipeline, len(ours.Rounds)), out))
	return r.Chart(fmt.Sprintf("%s-%d", strings.ToLower(test), pipeline), chart.Bars{
		Title: fmt.Sprintf("%s, 50 connections, %d at a time", test, pipeline), Unit: "commands per second", Note: "medians of alternated rounds; dashed: the claim",
		Rows: []chart.Row{{Label: "redisshard", Value: ours.Rate(), Target: 0.95 * theirs.Rate()}, {Label: "twemproxy 0.5", Value: theirs.Rate(), Series: 1}},
	})
}
