package experiments

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

const (
	herdSize  = 200
	herdDelay = 500 * time.Millisecond
)

// herd lets many clients miss on one key in the same moment, several times over,
// each time on another key.
func herd(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	origin := &rig.Origin{Delay: herdDelay}
	client, err := clientOfCache(ctx, g, origin)
	if err != nil {
		return err
	}
	if err := stampede(ctx, client, "/1024/warm", new(hist.Histogram)); err != nil { // opens the connections
		return err
	}
	origin.Requests.Store(0)
	var waits hist.Histogram
	rounds := r.Rounds()
	for i := range rounds {
		if err := stampede(ctx, client, fmt.Sprintf("/1024/key-%d", i), &waits); err != nil {
			return err
		}
	}
	r.Claim(proof.Exactly(fmt.Sprintf("upstream requests for %d herds of %d clients", rounds, herdSize), int(origin.Requests.Load()), rounds, "requests"))
	r.Claim(proof.AtMost("median wait behind an upstream of 500 ms", milliseconds(waits.Quantile(0.5)), 560, "ms"))
	r.Measured("longest wait", milliseconds(waits.Max()), "ms")
	return nil
}

// stampede sends herdSize requests for a path at once.
func stampede(ctx context.Context, client *openloop.Client, path string, waits *hist.Histogram) error {
	gate := make(chan struct{})
	failures := make(chan openloop.Answer, herdSize)
	var wg sync.WaitGroup
	for range herdSize {
		wg.Go(func() {
			<-gate
			begin := time.Now()
			if a := client.Get(ctx, path, nil); a.Err != nil || a.Status != 200 {
				failures <- a
				return
			}
			waits.Record(time.Since(begin))
		})
	}
	close(gate)
	wg.Wait()
	close(failures)
	if a, failed := <-failures; failed {
		return fmt.Errorf("herd on %s: %d failed, one with status %d, %v", path, len(failures)+1, a.Status, a.Err)
	}
	return nil
}
