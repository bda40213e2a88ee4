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

// memcachedRates compares memcacheshard with twemproxy in front of the same three
// memcached servers. Nothing is pinned: both share the machine with servers and
// load.
func memcachedRates(pipeline int) func(context.Context, *proof.Report) error {
	return func(ctx context.Context, r *proof.Report) error {
		if err := rig.Need("nutcracker", "memcached"); err != nil {
			return err
		}
		g := rig.New(r)
		defer g.Close()
		if err := g.Build(ctx, "memcacheshard", "memload"); err != nil {
			return err
		}
		ours, theirs, err := beforeTheSameMemcacheds(ctx, g)
		if err != nil {
			return err
		}
		span := r.Span(6*time.Second, time.Second)
		load := func(p *rig.Proc, sets bool, d time.Duration) func(context.Context) (duel.Sample, error) {
			return func(ctx context.Context) (duel.Sample, error) {
				return closedloop.Memload(ctx, closedloop.MemcachedLoad{Program: g.Bin("memload"), Addr: p.Data, Sets: sets, Pipeline: pipeline, Keys: 10_000, Duration: d, Server: p.PID()})
			}
		}
		for _, test := range []string{"SET", "GET"} {
			out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
				duel.Side{Name: "memcacheshard", Round: load(ours, test == "SET", span)}, duel.Side{Name: "twemproxy", Round: load(theirs, test == "SET", span)})
			if err != nil {
				return err
			}
			if err := reportMemcachedRates(r, test, pipeline, out); err != nil {
				return err
			}
		}
		r.Note("memload, 50 connections, values of 64 bytes, 10,000 keys; three memcached of one thread, fnv1a_64 and ketama; nothing is pinned.")
		return profile(ctx, r, ours, func(ctx context.Context, d time.Duration) error {
			_, err := load(ours, false, d)(ctx)
			return err
		})
	}
}

func beforeTheSameMemcacheds(ctx context.Context, g *rig.Rig) (ours, theirs *rig.Proc, err error) {
	s, err := realMemcacheds(ctx, g, 3)
	if err != nil {
		return nil, nil, err
	}
	listen, err := rig.Addr()
	if err != nil {
		return nil, nil, err
	}
	conf, err := g.Nutcracker("twemproxy", 2000, rig.ShardPool{Name: "memcached", Listen: listen, Hash: "fnv1a_64", Distribution: "ketama", Servers: s.servers, Memcached: true})
	if err != nil {
		return nil, nil, err
	}
	if theirs, err = g.Twemproxy(ctx, conf, listen); err != nil {
		return nil, nil, err
	}
	ours, err = g.Service(ctx, "memcacheshard", "memcacheshard", map[string]string{"MEMCACHESHARD_SERVERS": strings.Join(s.servers, ","), "MEMCACHESHARD_TIMEOUT": "5s"})
	return ours, theirs, err
}

func reportMemcachedRates(r *proof.Report, test string, pipeline int, out []duel.Outcome) error {
	ours, theirs := out[0], out[1]
	r.Claim(proof.AtLeast(test+": rate beside twemproxy", ours.Rate()/theirs.Rate(), 0.95, "×"))
	r.Claim(proof.AtMost(test+": CPU per command beside twemproxy", ratio(ours.CPUPerOp(), theirs.CPUPerOp()), 1.5, "×"))
	r.Claim(proof.AtMost(test+": p99 beside twemproxy", ratio(ours.P99(), theirs.P99()), 1.3, "×"))
	r.Table(duelTable(fmt.Sprintf("%s, %d at a time, medians of %d alternated rounds", test, pipeline, len(ours.Rounds)), out))
	return r.Chart(fmt.Sprintf("%s-%d", strings.ToLower(test), pipeline), chart.Bars{
		Title: fmt.Sprintf("%s, 50 connections, %d at a time", test, pipeline), Unit: "commands per second", Note: "medians of alternated rounds; dashed: the claim",
		Rows: []chart.Row{{Label: "memcacheshard", Value: ours.Rate(), Target: 0.95 * theirs.Rate()}, {Label: "twemproxy 0.5", Value: theirs.Rate(), Series: 1}},
	})
}
