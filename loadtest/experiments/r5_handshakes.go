package experiments

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// handshakes compares full handshakes. A client pays more for one than its server
// does, and here both have one CPU: so the claim is about handshakes per second of the
// server's own CPU, which is the rate of a server that is loaded by enough clients.
func handshakes(ctx context.Context, r *proof.Report) error {
	if err := rig.Need("nginx"); err != nil {
		return err
	}
	g := rig.New(r)
	defer g.Close()
	f, err := newField(ctx, g)
	if err != nil {
		return err
	}
	if err := g.Build(ctx, "handshakes"); err != nil {
		return err
	}
	side := func(label string, p *rig.Proc) duel.Side {
		return duel.Side{Name: label, Round: func(ctx context.Context) (duel.Sample, error) {
			return f.shake(ctx, g.Bin("handshakes"), p, r.Span(8*time.Second, time.Second))
		}}
	}
	out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log}, side("edge", f.edge), side("nginx", f.nginx), side("bare net/http", f.bare))
	if err != nil {
		return err
	}
	perCPU := func(o duel.Outcome) float64 { return 1 / o.CPUPerOp().Seconds() }
	r.Claim(proof.AtLeast("full handshakes per second of CPU, beside nginx", perCPU(out[0])/perCPU(out[1]), 0.9, "×"))
	r.Measured("handshakes per second as made here, beside nginx", out[0].Rate()/out[1].Rate(), "×")
	r.Table(duelTable(fmt.Sprintf("Full TLS 1.3 handshakes, X25519, ECDSA P-256, no resumption, medians of %d alternated rounds", r.Rounds()), out))
	r.Note("A client pays more for a handshake than a server; where the server's CPU was not busy, the client was the limit, and the CPU per handshake decides.")
	b := chart.Bars{Title: "Full TLS 1.3 handshakes", Note: "medians of alternated rounds; dashed: the claim", Unit: "handshakes per second of the server's CPU"}
	for i, o := range out {
		row := chart.Row{Label: o.Name, Value: perCPU(o), Series: min(i, 1)}
		if i == 0 {
			row.Target = 0.9 * perCPU(out[1])
		}
		b.Rows = append(b.Rows, row)
	}
	return r.Chart("handshakes", b)
}

func (f *field) shake(ctx context.Context, program string, p *rig.Proc, d time.Duration) (duel.Sample, error) {
	cmd := exec.CommandContext(ctx, program, "-addr", p.Data, "-name", site, "-ca", f.pair.authority.File, "-d", d.String())
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	before, err := machine.CPU(p.PID())
	if err != nil {
		return duel.Sample{}, err
	}
	if err := machine.Start(cmd, f.loadCPU); err != nil {
		return duel.Sample{}, fmt.Errorf("start handshakes: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return duel.Sample{}, fmt.Errorf("handshakes: %w: %s", err, errs.Bytes())
	}
	after, err := machine.CPU(p.PID())
	if err != nil {
		return duel.Sample{}, err
	}
	var told struct {
		Ops, Errors uint64
		Seconds     float64
		Last        string `json:"last_error"`
	}
	if err := json.Unmarshal(out.Bytes(), &told); err != nil {
		return duel.Sample{}, fmt.Errorf("handshakes: %w", err)
	}
	s := duel.Sample{Ops: told.Ops, Errors: told.Errors, Took: time.Duration(told.Seconds * float64(time.Second)), CPU: after - before}
	if told.Last != "" {
		s.Remarks = []string{told.Last}
	}
	return s, nil
}
