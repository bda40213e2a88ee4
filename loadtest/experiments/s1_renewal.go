package experiments

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	renewalCount    = 20
	keptRate        = 200 // requests per second on connections that are kept
	handshakingRate = 40  // and with a connection each
)

// renewal renews the certificate while three kinds of clients ask. A renewal is over
// when a new connection is shown the new certificate.
func renewal(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	// The limits are above what can pile up on a machine that is busy with other
	// things: a refusal would say nothing of renewals.
	pod, err := newLegacyPod(ctx, g, map[string]string{"TLSPROXY_ACCESS_LOG": "off", "TLSPROXY_REQUESTS": "8192", "TLSPROXY_CONNECTIONS": "16384"})
	if err != nil {
		return err
	}
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	loads := []struct {
		name   string
		target openloop.Target
		rate   float64
		fresh  bool
		result openloop.Result
	}{
		{name: "HTTP/1.1, kept connections", target: pod.target(openloop.HTTP1), rate: keptRate},
		{name: "HTTP/2, one connection", target: pod.target(openloop.HTTP2), rate: keptRate},
		{name: "HTTP/1.1, a handshake each", target: pod.target(openloop.HTTP1), rate: handshakingRate, fresh: true},
	}
	var running sync.WaitGroup
	for i := range loads {
		l := &loads[i]
		client, err := l.target.Open()
		if err != nil {
			return errors.Join(err, ctx.Err())
		}
		defer client.Close()
		running.Go(func() {
			l.result = openloop.Load{Rate: l.rate, Send: asker(client, l.fresh)}.Run(loadCtx)
		})
	}
	took, err := pod.renewOften(ctx, r.Span(500*time.Millisecond, 50*time.Millisecond))
	stop()
	running.Wait()
	if err != nil {
		return err
	}
	r.Claim(proof.Exactly("certificates that were renewed and came into use", len(took), renewalCount, ""))
	t := proof.Table{Title: "Requests during the renewals", Columns: []string{"client", "sent", "failed", "p50", "p99", "longest"}}
	for _, l := range loads {
		r.Claim(proof.Exactly("failed requests, "+l.name, int(l.result.Failed), 0, fmt.Sprintf("of %d", l.result.Sent)))
		t.Rows = append(t.Rows, []string{l.name, fmt.Sprint(l.result.Sent), fmt.Sprint(l.result.Failed),
			told(l.result.Latency.Quantile(0.5)), told(l.result.Latency.Quantile(0.99)), told(l.result.Latency.Max())})
		for reason, n := range l.result.Reasons {
			r.Note("%s: %d × %s", l.name, n, reason)
		}
	}
	r.Table(t)
	longest := time.Duration(0)
	for _, d := range took {
		longest = max(longest, d)
	}
	r.Measured("longest time from a renewal to its use", milliseconds(longest), "ms")
	return nil
}

// asker sends requests, on a connection of its own each if they are to be fresh.
func asker(client *openloop.Client, fresh bool) func(context.Context, int) openloop.Answer {
	return func(ctx context.Context, _ int) openloop.Answer {
		req, err := http.NewRequest(http.MethodGet, "https://"+legacyName+"/", nil)
		if err != nil {
			return openloop.Answer{Err: err}
		}
		req.Close = fresh
		answer, _ := client.Do(ctx, req)
		return answer
	}
}

// renewOften renews the certificate again and again, with quiet between, and tells
// how long each took to be in use.
func (p *legacyPod) renewOften(ctx context.Context, quiet time.Duration) ([]time.Duration, error) {
	var took []time.Duration
	before, err := p.shown(ctx)
	if err != nil {
		return nil, err
	}
	for range renewalCount {
		if err := retry.Sleep(ctx, quiet); err != nil {
			return took, err
		}
		begin := time.Now()
		if err := p.renew(); err != nil {
			return took, err
		}
		now := before
		for now == before {
			if time.Since(begin) > 30*time.Second {
				return took, fmt.Errorf("renewal %d is not in use after 30 s", len(took)+1)
			}
			if err := retry.Sleep(ctx, 10*time.Millisecond); err != nil {
				return took, err
			}
			if now, err = p.shown(ctx); err != nil {
				return took, err
			}
		}
		before = now
		took = append(took, time.Since(begin))
	}
	return took, nil
}

// shown is the serial number of the certificate that a new connection sees.
func (p *legacyPod) shown(ctx context.Context) (string, error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 30 * time.Second}, Config: &tls.Config{RootCAs: p.authority.Pool, ServerName: legacyName}}
	conn, err := d.DialContext(ctx, "tcp", p.tls.Data)
	if err != nil {
		return "", fmt.Errorf("look at the certificate: %w", err)
	}
	defer conn.Close()
	secure, ok := conn.(*tls.Conn)
	if !ok || len(secure.ConnectionState().PeerCertificates) == 0 {
		return "", errors.New("look at the certificate: there is none")
	}
	return secure.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}
