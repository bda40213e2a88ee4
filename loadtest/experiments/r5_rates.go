package experiments

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/closedloop"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// field holds the four servers of the comparison, each on the first CPU, and what
// loads them from the second.
type field struct {
	edge, nginx, httputil, bare *rig.Proc
	pair                        pair
	openSSL                     string
	loadCPU                     int
}

func newField(ctx context.Context, g *rig.Rig) (*field, error) {
	serverCPU, loadCPU, err := rig.TwoCPUs()
	if err != nil {
		return nil, err
	}
	if err := g.Build(ctx, "edge", "httputil", "bare"); err != nil {
		return nil, err
	}
	f := &field{loadCPU: loadCPU}
	if f.pair, err = newPair(g); err != nil {
		return nil, err
	}
	if f.openSSL, err = closedloop.WriteOpenSSL(g.Dir); err != nil {
		return nil, err
	}
	upstream, err := g.NginxUpstream(ctx, 1024, loadCPU)
	if err != nil {
		return nil, err
	}
	if f.nginx, err = g.NginxEdge(ctx, site, upstream.Data, f.pair.CertFile, f.pair.KeyFile, serverCPU); err != nil {
		return nil, err
	}
	if f.edge, err = edgeBefore(ctx, g, upstream.Data, f.pair, serverCPU); err != nil {
		return nil, err
	}
	if f.httputil, err = g.Peer(ctx, "httputil", f.pair.CertFile, f.pair.KeyFile, "http://"+upstream.Data, serverCPU); err != nil {
		return nil, err
	}
	f.bare, err = g.Peer(ctx, "bare", f.pair.CertFile, f.pair.KeyFile, upstream.Data, serverCPU)
	return f, err
}

// load is one closed-loop run against a server.
func (f *field) load(p *rig.Proc, d time.Duration) closedloop.Load {
	_, port, _ := net.SplitHostPort(p.Data)
	return closedloop.Load{
		URL: "https://" + net.JoinHostPort(site, port) + "/page", Connect: p.Data, Duration: d, CPUs: []int{f.loadCPU}, Server: p.PID(), OpenSSL: f.openSSL,
	}
}

// compare runs all four with one generator and reports the shares of nginx.
func (f *field) compare(ctx context.Context, r *proof.Report, name string, generator func(context.Context, closedloop.Load) (duel.Sample, error)) ([]duel.Outcome, error) {
	span := r.Span(8*time.Second, time.Second)
	side := func(label string, p *rig.Proc) duel.Side {
		return duel.Side{Name: label, Round: func(ctx context.Context) (duel.Sample, error) { return generator(ctx, f.load(p, span)) }}
	}
	out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
		side("edge", f.edge), side("nginx", f.nginx), side("httputil.ReverseProxy", f.httputil), side("bare net/http + hop", f.bare))
	if err != nil {
		return nil, missing(err)
	}
	r.Table(duelTable(fmt.Sprintf("1 KiB over TLS 1.3 and %s, one CPU for the server, medians of %d alternated rounds", name, r.Rounds()), out))
	for _, o := range []duel.Outcome{out[0], out[2], out[3]} {
		r.Measured(o.Name+": rate beside nginx", o.Rate()/out[1].Rate(), "×")
		r.Measured(o.Name+": CPU per request beside nginx", ratio(o.CPUPerOp(), out[1].CPUPerOp()), "×")
	}
	r.Note("Caddy is not installed here, so it was not measured. ECDSA P-256, X25519, AES-128-GCM; the upstream is nginx, on the CPU of the load generator. A server that uses less than its CPU (see CPUs busy) waited for the load.")
	err = profile(ctx, r, f.edge, func(ctx context.Context, d time.Duration) error {
		_, err := generator(ctx, f.load(f.edge, d))
		return err
	})
	return out, err
}

// race compares all four in a rig of its own; tool is what the generator runs.
func race(ctx context.Context, r *proof.Report, name, tool string, generator func(context.Context, closedloop.Load) (duel.Sample, error)) ([]duel.Outcome, error) {
	if err := rig.Need("nginx", tool); err != nil {
		return nil, err
	}
	g := rig.New(r)
	defer g.Close()
	f, err := newField(ctx, g)
	if err != nil {
		return nil, err
	}
	return f.compare(ctx, r, name, generator)
}

func edgeHTTP1(ctx context.Context, r *proof.Report) error {
	out, err := race(ctx, r, "HTTP/1.1", "wrk", closedloop.Wrk)
	if err != nil {
		return err
	}
	r.Claim(proof.AtLeast("HTTP/1.1 rate beside nginx", out[0].Rate()/out[1].Rate(), 0.8, "×"))
	r.Claim(proof.AtLeast("HTTP/1.1 rate beside httputil.ReverseProxy", out[0].Rate()/out[2].Rate(), 1, "×"))
	return r.Chart("http1", rateBars("HTTP/1.1 over TLS through one CPU", out, 0.8*out[1].Rate()))
}

func edgeHTTP2(ctx context.Context, r *proof.Report) error {
	out, err := race(ctx, r, "HTTP/2", "h2load", closedloop.H2load)
	if err != nil {
		return err
	}
	r.Claim(proof.AtLeast("HTTP/2 rate beside a bare net/http TLS handler with one upstream hop", out[0].Rate()/out[3].Rate(), 0.85, "×"))
	r.Claim(proof.AtLeast("HTTP/2 rate beside httputil.ReverseProxy", out[0].Rate()/out[2].Rate(), 1, "×"))
	return r.Chart("http2", rateBars("HTTP/2 over TLS through one CPU", out, 0.85*out[3].Rate()))
}

func rateBars(title string, out []duel.Outcome, target float64) chart.Bars {
	b := chart.Bars{Title: title, Note: "1 KiB, medians of alternated rounds; dashed: the claim", Unit: "requests per second"}
	for i, o := range out {
		row := chart.Row{Label: o.Name, Value: o.Rate(), Series: min(i, 1)}
		if i == 0 {
			row.Target = target
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}
