package experiments

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/chart"
	"github.com/flotilla-dev/flotilla/loadtest/duel"
	"github.com/flotilla-dev/flotilla/loadtest/hist"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// scrapeOnce asks for metrics on a connection of its own, as a scraper after a
// minute does, and tells whether they are of a Redis that is up.
func scrapeOnce(ctx context.Context, url string) (took time.Duration, up bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, false, err
	}
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	took = time.Since(began)
	return took, resp.StatusCode == http.StatusOK && contains(body, "\nredis_up 1\n"), err
}

// interleaved asks exporters in turn, so that whatever else the machine does meets
// all of them, and returns what each did in one round.
func interleaved(ctx context.Context, d time.Duration, all ...*rig.Proc) ([]duel.Sample, error) {
	samples, latencies := make([]duel.Sample, len(all)), make([]hist.Histogram, len(all))
	for i, p := range all {
		spent, err := machine.CPU(p.PID())
		if err != nil {
			return nil, err
		}
		samples[i].CPU = -spent
	}
	began := time.Now()
	for n := 0; time.Since(began) < d; n++ {
		for k := range all {
			i := (k + n) % len(all) // nobody is always the first
			took, up, err := scrapeOnce(ctx, "http://"+all[i].Data+"/metrics")
			if err != nil {
				return nil, err
			}
			if !up {
				return nil, fmt.Errorf("%s says that Redis is down", all[i].Spec.Name)
			}
			samples[i].Ops++
			samples[i].Took += took
			latencies[i].Record(took)
		}
	}
	for i, p := range all {
		spent, err := machine.CPU(p.PID())
		if err != nil {
			return nil, err
		}
		samples[i].CPU += spent
		samples[i].P50, samples[i].P99 = latencies[i].Quantile(0.5), latencies[i].Quantile(0.99)
	}
	return samples, nil
}

func scrapes(ctx context.Context, r *proof.Report) error {
	if err := rig.Need("redis-server", realExporter); err != nil {
		return err
	}
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "redismetrics"); err != nil {
		return err
	}
	master, _, err := livedIn(ctx, g)
	if err != nil {
		return err
	}
	ours, theirs, err := both(ctx, g, master)
	if err != nil {
		return err
	}
	out := []duel.Outcome{{Name: "redismetrics"}, {Name: "redis_exporter"}}
	for range r.Rounds() {
		samples, err := interleaved(ctx, r.Span(16*time.Second, 5*time.Second), ours, theirs)
		if err != nil {
			return err
		}
		for i, s := range samples {
			out[i].Rounds = append(out[i].Rounds, s)
			r.Log("%s: p99 %v", out[i].Name, s.P99)
		}
	}
	r.Claim(proof.AtMost("p99 of a scrape beside redis_exporter", ratio(out[0].P99(), out[1].P99()), 1, "×"))
	r.Measured("processor time of a scrape beside redis_exporter", ratio(out[0].CPUPerOp(), out[1].CPUPerOp()), "×")
	r.Table(duelTable("Scrapes of one Redis, the exporters in turn", out))
	r.Note("A Redis 7 with 10,000 keys, a replica and the statistics of forty commands. redismetrics shows the latency histograms of commands too, which redis_exporter 1.45 does not know; both open a connection for each scrape. The client offers gzip: redis_exporter compresses its answer, redismetrics does not. No side is pinned.")
	return r.Chart("scrape", chart.Bars{Title: "p99 of a scrape", Unit: "ms", Note: "medians of rounds in which both are asked in turn; dashed: the claim", Rows: []chart.Row{
		{Label: "redismetrics", Value: milliseconds(out[0].P99()), Target: milliseconds(out[1].P99())}, {Label: "redis_exporter", Value: milliseconds(out[1].P99()), Series: 1},
	}})
}

// hungRedis stops the process of a Redis: the kernel still accepts connections.
func hungRedis(ctx context.Context, r *proof.Report) error {
	if err := rig.Need("redis-server"); err != nil {
		return err
	}
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "redismetrics"); err != nil {
		return err
	}
	redis, err := g.RedisServer(ctx, "hung")
	if err != nil {
		return err
	}
	const limit = time.Second
	p, err := g.Service(ctx, "redismetrics", "redismetrics", map[string]string{"REDISMETRICS_ADDR": redis.Data, "REDISMETRICS_TIMEOUT": limit.String()})
	if err != nil {
		return err
	}
	if err := syscall.Kill(redis.PID(), syscall.SIGSTOP); err != nil {
		return err
	}
	took, up, err := scrapeOnce(ctx, "http://"+p.Data+"/metrics")
	if err != nil {
		return err
	}
	r.Claim(proof.AtMost("a scrape of a Redis that hangs, with a limit of one second", took.Seconds(), limit.Seconds()*1.2, "s"))
	r.Claim(proof.That("its answer", "metrics with redis_up 0", answerWord(up), !up))
	if err := syscall.Kill(redis.PID(), syscall.SIGCONT); err != nil {
		return err
	}
	began := time.Now()
	for !up {
		if _, up, err = scrapeOnce(ctx, "http://"+p.Data+"/metrics"); err != nil {
			return err
		}
	}
	r.Measured("after it goes on, redis_up is 1 again in", milliseconds(time.Since(began)), "ms")
	return nil
}

func answerWord(up bool) string {
	if up {
		return "metrics with redis_up 1"
	}
	return "metrics with redis_up 0"
}

func contains(body []byte, text string) bool { return bytes.Contains(body, []byte(text)) }
