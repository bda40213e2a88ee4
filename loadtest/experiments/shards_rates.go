package experiments

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// loadKeys are different keys that a load uses.
const loadKeys = 100_000

// shardRates compares an ambassador with twemproxy in front of the same three servers.
// Nothing is pinned: both share the machine with servers and load.
func shardRates(a ambassador, pipeline int) func(context.Context, *proof.Report) error {
	return func(ctx context.Context, r *proof.Report) error {
		if err := rig.Need("nutcracker", a.peer); err != nil {
			return err
		}
		g := rig.New(r)
		defer g.Close()
		if err := g.Build(ctx, a.program, "memload"); err != nil {
			return err
		}
		ours, theirs, err := a.beforeTheSame(ctx, g)
		if err != nil {
			return err
		}
		span := r.Span(6*time.Second, time.Second)
		for _, command := range []string{"SET", "GET"} {
			one, err := a.load(ctx, g, a.program, ours, command, pipeline, span)
			if err != nil {
				return err
			}
			other, err := a.load(ctx, g, "twemproxy", theirs, command, pipeline, span)
			if err != nil {
				return err
			}
			out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log}, one, other)
			if err != nil {
				return err
			}
			if err := a.reportRates(r, command, pipeline, out); err != nil {
				return err
			}
		}
		r.Note("50 connections, values of 64 bytes, %d keys; three %s, fnv1a_64 and ketama; nothing is pinned.", loadKeys, a.peer)
		return profile(ctx, r, ours, func(ctx context.Context, d time.Duration) error {
			side, err := a.load(ctx, g, a.program, ours, "GET", pipeline, d)
			if err != nil {
				return err
			}
			_, err = side.Round(ctx)
			return err
		})
	}
}

func (a ambassador) beforeTheSame(ctx context.Context, g *rig.Rig) (ours, theirs *rig.Proc, err error) {
	s, err := a.real(ctx, g, 3)
	if err != nil {
		return nil, nil, err
	}
	listen, err := rig.Addr()
	if err != nil {
		return nil, nil, err
	}
	pool := rig.ShardPool{Name: a.backend, Listen: listen, Hash: "fnv1a_64", Distribution: "ketama", Servers: s.servers, Memcached: a.backend == "memcached"}
	conf, err := g.Nutcracker("twemproxy", 2000, pool)
	if err != nil {
		return nil, nil, err
	}
	if theirs, err = g.Twemproxy(ctx, conf, listen); err != nil {
		return nil, nil, err
	}
	ours, err = a.start(ctx, g, s.servers, map[string]string{"TIMEOUT": "5s"})
	return ours, theirs, err
}

func (a ambassador) reportRates(r *proof.Report, command string, pipeline int, out []duel.Outcome) error {
	ours, theirs := out[0], out[1]
	r.Claim(proof.AtLeast(command+": rate beside twemproxy", ours.Rate()/theirs.Rate(), 0.95, "×"))
	r.Claim(proof.AtMost(command+": CPU per command beside twemproxy", ratio(ours.CPUPerOp(), theirs.CPUPerOp()), 1.5, "×"))
	r.Claim(proof.AtMost(command+": p99 beside twemproxy", ratio(ours.P99(), theirs.P99()), 1.3, "×"))
	r.Table(duelTable(fmt.Sprintf("%s, %d at a time, medians of %d alternated rounds", command, pipeline, len(ours.Rounds)), out))
	return r.Chart(fmt.Sprintf("%s-%d", strings.ToLower(command), pipeline), chart.Bars{
		Title: fmt.Sprintf("%s, 50 connections, %d at a time", command, pipeline), Unit: "commands per second", Note: "medians of alternated rounds; dashed: the claim",
		Rows: []chart.Row{{Label: a.program, Value: ours.Rate(), Target: 0.95 * theirs.Rate()}, {Label: "twemproxy 0.5", Value: theirs.Rate(), Series: 1}},
	})
}
