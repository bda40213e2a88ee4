package experiments

import (
	"context"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// sidecarLatency asks the application directly and by its sidecar, in alternated
// rounds.
func sidecarLatency(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	pod, err := newLegacyPod(ctx, g, nil)
	if err != nil {
		return err
	}
	direct := openloop.Target{URL: "http://" + pod.app.Data}
	out, err := duel.Run(ctx, duel.Options{Rounds: r.Rounds(), Log: r.Log},
		duel.Side{Name: "the application itself", Round: asked(r, direct)},
		duel.Side{Name: "by the sidecar, HTTP/1.1", Round: asked(r, pod.target(openloop.HTTP1))},
		duel.Side{Name: "by the sidecar, HTTP/2", Round: asked(r, pod.target(openloop.HTTP2))})
	if err != nil {
		return err
	}
	for _, side := range out[1:] {
		r.Claim(proof.AtMost("added at the median, "+side.Name, milliseconds(side.P50()-out[0].P50()), 1, "ms"))
		r.Measured("added at p99, "+side.Name, milliseconds(side.P99()-out[0].P99()), "ms")
	}
	r.Table(duelTable("200 requests/s, kept connections, access logs on", out))
	return nil
}

// asked is a round of requests at a rate that leaves the machine idle.
func asked(r *proof.Report, t openloop.Target) func(context.Context) (duel.Sample, error) {
	return func(ctx context.Context) (duel.Sample, error) {
		client, err := t.Open()
		if err != nil {
			return duel.Sample{}, err
		}
		defer client.Close()
		result := openloop.Load{Rate: 200, Duration: r.Span(10*time.Second, time.Second), Send: client.Getter("/")}.Run(ctx)
		return sampleOf(result), nil
	}
}
