package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const attackers = 1000

// slowloris measures users without and under the attack, in alternated rounds, once
// with all attackers at one address and once at a hundred.
func slowloris(ctx context.Context, r *proof.Report) error {
	serverCPU, loadCPU, err := rig.TwoCPUs()
	if err != nil {
		return err
	}
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "edge", "loris"); err != nil {
		return err
	}
	p, err := newPair(g)
	if err != nil {
		return err
	}
	origin := &rig.Origin{}
	if err := g.Origin(origin); err != nil {
		return err
	}
	edge, err := edgeBefore(ctx, g, origin.Addr, p, serverCPU)
	if err != nil {
		return err
	}
	bars := chart.Bars{Title: "Users beside 1,000 slow-loris connections", Note: "p99 at 500 requests/s, open loop; median of alternated rounds", Unit: "ms"}
	for _, addresses := range []int{1, 100} {
		attack := &loris{rig: g, addr: edge.Data, pair: p, addresses: addresses, cpu: loadCPU}
		label := fmt.Sprintf("attackers at %d addresses", addresses)
		if addresses == 1 {
			label = "attackers at one address"
		}
		out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
			duel.Side{Name: "calm", Round: func(ctx context.Context) (duel.Sample, error) { return users(ctx, r, edge, p, nil) }},
			duel.Side{Name: label, Round: func(ctx context.Context) (duel.Sample, error) { return users(ctx, r, edge, p, attack) }})
		if err != nil {
			return err
		}
		calm, hit := milliseconds(out[0].P99()), milliseconds(out[1].P99())
		allowed := math.Max(calm*1.2, calm+2)
		r.Claim(proof.That("p99 of users, "+label, fmt.Sprintf("≤ %s ms (calm: %s ms; + 20 %% or 2 ms)", chart.Number(allowed), chart.Number(calm)), chart.Number(hit)+" ms", hit <= allowed))
		r.Measured("connections held by "+label+", at most", float64(attack.most), "")
		r.Table(duelTable("Users at 500/s, "+label, out))
		bars.Rows = append(bars.Rows, chart.Row{Label: "calm", Value: calm, Series: 1}, chart.Row{Label: label, Value: hit, Target: allowed})
	}
	return r.Chart("slowloris", bars)
}

// users is one round of people at 500/s over new connections, while an attack runs.
func users(ctx context.Context, r *proof.Report, edge *rig.Proc, p pair, attack *loris) (sample duel.Sample, err error) {
	if attack != nil {
		stop, err := attack.start(ctx)
		if err != nil {
			return duel.Sample{}, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	client, err := openloop.Target{URL: "https://" + site, Address: edge.Data, Roots: p.authority.Pool}.Open()
	if err != nil {
		return duel.Sample{}, err
	}
	defer client.Close()
	result := openloop.Load{Rate: 500, Duration: r.Span(10*time.Second, 2*time.Second), Send: client.Getter("/1024/page")}.Run(ctx)
	return sampleOf(result), nil
}

// loris is the attack: a process of its own, of low priority, because the attackers'
// machines are not the users'.
type loris struct {
	rig       *rig.Rig
	addr      string
	pair      pair
	addresses int
	cpu       int
	runs      int
	most      int // connections held at once, ever
}

// start returns when nearly all connections are held, or when the server has refused
// that for a while.
func (l *loris) start(ctx context.Context) (stop func() error, err error) {
	l.runs++
	p, err := l.rig.Start(ctx, rig.Spec{
		Name: fmt.Sprintf("loris-%d-%d", l.addresses, l.runs), Path: "nice", CPUs: []int{l.cpu},
		Args: []string{"-n", "10", l.rig.Bin("loris"), "-addr", l.addr, "-name", site, "-ca", l.pair.authority.File,
			"-n", strconv.Itoa(attackers), "-from", strconv.Itoa(l.addresses)},
	})
	if err != nil {
		return nil, err
	}
	if err := p.AwaitLog(ctx, "holding "); err != nil {
		return nil, err
	}
	return func() error {
		if err := p.Stop(ctx); err != nil {
			return err
		}
		text, err := p.Log()
		if err != nil {
			return err
		}
		_, told, _ := strings.Cut(string(text), "most ")
		most, err := strconv.Atoi(strings.TrimSpace(told))
		if err != nil {
			return fmt.Errorf("attack: %w", err)
		}
		l.most = max(l.most, most)
		return nil
	}, nil
}
