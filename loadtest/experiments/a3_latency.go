package experiments

import (
	"context"
	"database/sql"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// brokerLatency compares one connection that queries again and again, directly
// and through the broker, and then new connections.
func brokerLatency(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	servers, err := store(ctx, g, 1)
	if err != nil {
		return err
	}
	broker, file, err := brokered(ctx, g, "broker", nil)
	if err != nil {
		return err
	}
	if err := aim(file, servers[0].Data); err != nil {
		return err
	}
	if err := begins(ctx, broker.Data, "mysql-a"); err != nil {
		return err
	}
	span := r.Span(3*time.Second, time.Second)
	out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
		duel.Side{Name: "direct", Round: querying(servers[0], servers[0].Data, span)},
		duel.Side{Name: "through the broker", Round: querying(broker, broker.Data, span)})
	if err != nil {
		return err
	}
	direct, through := out[0], out[1]
	r.Claim(proof.AtMost("what the broker adds to a query, median", milliseconds(through.P50()-direct.P50()), 0.3, "ms"))
	r.Table(duelTable("SELECT 1 over one connection, again and again; the CPU is that of the database, and of the broker", out))
	connecting, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
		duel.Side{Name: "direct", Round: connections(servers[0], servers[0].Data, span)},
		duel.Side{Name: "through the broker", Round: connections(broker, broker.Data, span)})
	if err != nil {
		return err
	}
	r.Measured("what the broker adds to a new connection with a log-in, median", milliseconds(connecting[1].P50()-connecting[0].P50()), "ms")
	r.Table(duelTable("New connection, log-in, SELECT 1", connecting))
	return r.Chart("latency", chart.Bars{Title: "SELECT 1 over one connection", Unit: "ms", Note: "median; dashed: direct + 0.3 ms", Rows: []chart.Row{
		{Label: "direct", Value: milliseconds(direct.P50()), Series: 1},
		{Label: "through the broker", Value: milliseconds(through.P50()), Target: milliseconds(direct.P50()) + 0.3},
	}})
}

// querying is a round of one connection.
func querying(p *rig.Proc, addr string, span time.Duration) func(context.Context) (duel.Sample, error) {
	return func(ctx context.Context) (duel.Sample, error) {
		db, err := database(addr, 0, 1)
		if err != nil {
			return duel.Sample{}, err
		}
		defer db.Close()
		return repeated(p, span, func() error { return one(ctx, db) })
	}
}

// connections is a round in which every query has a connection of its own.
func connections(p *rig.Proc, addr string, span time.Duration) func(context.Context) (duel.Sample, error) {
	return func(ctx context.Context) (duel.Sample, error) {
		return repeated(p, span, func() error {
			db, err := database(addr, 0, 1)
			if err != nil {
				return err
			}
			defer db.Close()
			return one(ctx, db)
		})
	}
}

func one(ctx context.Context, db *sql.DB) error {
	var n int
	return db.QueryRowContext(ctx, "SELECT 1").Scan(&n)
}

// repeated does something again and again for a while, after a moment to get warm.
func repeated(p *rig.Proc, span time.Duration, do func() error) (duel.Sample, error) {
	for range 50 {
		if err := do(); err != nil {
			return duel.Sample{}, err
		}
	}
	before, err := machine.CPU(p.PID())
	if err != nil {
		return duel.Sample{}, err
	}
	var s duel.Sample
	latency := &hist.Histogram{}
	began := time.Now()
	for time.Since(began) < span {
		sent := time.Now()
		if err := do(); err != nil {
			s.Errors++
			s.Remarks = []string{err.Error()}
			continue
		}
		latency.Record(time.Since(sent))
		s.Ops++
	}
	s.Took = time.Since(began)
	after, err := machine.CPU(p.PID())
	s.CPU, s.P50, s.P99 = after-before, latency.Quantile(0.5), latency.Quantile(0.99)
	return s, err
}
