package experiments

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// reshardRate is the load under which shards come and go.
const reshardRate = 500

// reshardUnderLoad lets a shard join, drain and leave, a replica die, and a shard be lost,
// while users ask for many pages.
func reshardUnderLoad(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	if err := g.Build(ctx, "shardproxy", "cache"); err != nil {
		return err
	}
	origin := &rig.Origin{}
	if err := g.Origin(origin); err != nil {
		return err
	}
	caches := map[string][]*rig.Proc{}
	entries := map[string]string{}
	for _, name := range []string{"a", "b", "c", "d"} {
		for _, n := range []string{"1", "2"} {
			p, err := cacheBefore(ctx, g, "cache-"+name+n, origin.Upstream(), map[string]string{"CACHE_ACCESS_LOG": "0"})
			if err != nil {
				return err
			}
			caches[name] = append(caches[name], p)
		}
		entries[name] = shardEntry(name, 1, rig.Upstreams(caches[name]...))
	}
	s, err := shardproxyBefore(ctx, g, "shardproxy", []string{entries["a"], entries["b"], entries["c"]}, map[string]string{"CHECK_INTERVAL": "200ms"})
	if err != nil {
		return err
	}
	events := []event{
		{"d joins", func(ctx context.Context) error {
			return s.until(ctx, "d", "active", s.write([]string{entries["a"], entries["b"], entries["c"], entries["d"]}))
		}},
		{"d drains", func(ctx context.Context) error {
			return s.until(ctx, "d", "draining", s.post(ctx, "/v1/shards/d/drain"))
		}},
		{"d leaves", func(ctx context.Context) error {
			return s.until(ctx, "d", "", s.write([]string{entries["a"], entries["b"], entries["c"]}))
		}},
		{"a replica of a is killed", func(context.Context) error { caches["a"][0].Kill(); return nil }},
		{"both of b are killed", func(ctx context.Context) error {
			caches["b"][0].Kill()
			caches["b"][1].Kill()
			return s.until(ctx, "b", "lost", nil)
		}},
	}
	t := proof.Table{Title: fmt.Sprintf("%d requests per second for 2,000 pages", reshardRate), Columns: []string{"event", "sent", "lost", "p99"}}
	for _, e := range events {
		result, err := s.during(ctx, r.Span(6*time.Second, time.Second), e)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		r.Claim(proof.Exactly("requests lost while "+e.name, int(result.Failed), 0, fmt.Sprintf("of %d", result.Sent)))
		t.Rows = append(t.Rows, []string{e.name, fmt.Sprint(result.Sent), fmt.Sprint(result.Failed), fmt.Sprintf("%.1f ms", milliseconds(result.Latency.Quantile(0.99)))})
		for why, n := range result.Reasons {
			r.Note("%s: %d × %s", e.name, n, why)
		}
	}
	r.Table(t)
	r.Note("Four shards of two caches each in front of one origin; three of them at first. Each event happens in the middle of a load of its own.")
	return nil
}

// during loads the proxy while something happens.
func (s *sharder) during(ctx context.Context, quiet time.Duration, e event) (openloop.Result, error) {
	client, err := plain(s.Data)
	if err != nil {
		return openloop.Result{}, err
	}
	defer client.Close()
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan openloop.Result, 1)
	go func() {
		results <- openloop.Load{Rate: reshardRate, Send: func(ctx context.Context, n int) openloop.Answer {
			return client.Get(ctx, fmt.Sprintf("/1024/page-%d", n%2000), nil)
		}}.Run(loadCtx)
	}()
	err = retry.Sleep(ctx, quiet)
	if err == nil {
		err = e.do(ctx)
	}
	if err == nil {
		err = retry.Sleep(ctx, quiet)
	}
	stop()
	return <-results, err
}

func (s *sharder) post(ctx context.Context, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.Admin+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("POST %s: %s", path, resp.Status)
	}
	return nil
}

// until waits for a shard to be in a state, "" for gone, unless err is there already.
func (s *sharder) until(ctx context.Context, name, state string, err error) error {
	for deadline := time.Now().Add(30 * time.Second); err == nil; err = retry.Sleep(ctx, 20*time.Millisecond) {
		var all []struct{ Name, State string }
		if err = getJSON(ctx, "http://"+s.Admin+"/v1/shards", &all); err != nil {
			return err
		}
		now := ""
		for _, one := range all {
			if one.Name == name {
				now = one.State
			}
		}
		if now == state {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("shard %s is %q, and does not become %q", name, now, state)
		}
	}
	return err
}
