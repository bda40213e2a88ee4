package experiments

import (
	"context"
	"fmt"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// appRestart stops and starts the application under load. The wait is longer than
// the default, because this machine may take its time to start a process.
func appRestart(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	pod, err := newLegacyPod(ctx, g, map[string]string{"TLSPROXY_CONNECT_WAIT": "5s", "TLSPROXY_REQUESTS": "8192", "TLSPROXY_ACCESS_LOG": "off"})
	if err != nil {
		return err
	}
	client, err := pod.target(openloop.HTTP1).Open()
	if err != nil {
		return err
	}
	defer client.Close()
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan openloop.Result, 1)
	go func() { results <- openloop.Load{Rate: keptRate, Send: asker(client, false)}.Run(loadCtx) }()
	restarts := 5
	if r.Quick {
		restarts = 2
	}
	longest := time.Duration(0)
	for range restarts {
		if err = retry.Sleep(ctx, r.Span(time.Second, 200*time.Millisecond)); err != nil {
			break
		}
		begin := time.Now()
		if err = pod.app.Stop(ctx); err != nil {
			break
		}
		if err = pod.app.Restart(ctx); err != nil {
			break
		}
		longest = max(longest, time.Since(begin))
	}
	if err == nil {
		err = retry.Sleep(ctx, 200*time.Millisecond)
	}
	stop()
	result := <-results
	if err != nil {
		return err
	}
	r.Claim(proof.Exactly(fmt.Sprintf("failed requests, %d restarts of the application", restarts), int(result.Failed), 0, fmt.Sprintf("of %d", result.Sent)))
	r.Measured("longest restart", milliseconds(longest), "ms")
	r.Measured("longest answer", milliseconds(result.Latency.Max()), "ms")
	for reason, n := range result.Reasons {
		r.Note("%d × %s", n, reason)
	}
	return nil
}
