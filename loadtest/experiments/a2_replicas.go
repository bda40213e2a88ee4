package experiments

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/loadtest/machine"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// replicaFault lets one of two replicas of every shard get into trouble, while
// each client writes growing numbers under its keys and reads them back.
func replicaFault(t trouble) func(context.Context, *proof.Report) error {
	return func(ctx context.Context, r *proof.Report) error {
		g := rig.New(r)
		defer g.Close()
		if err := g.Build(ctx, "memcacheshard", "memcached"); err != nil {
			return err
		}
		first, router, err := replicatedShards(ctx, g, 3)
		if err != nil {
			return err
		}
		c := countUp(ctx, router.Data)
		defer c.stop()
		span := r.Span(6*time.Second, 3*time.Second)
		steps := []func() error{
			func() error { return retry.Sleep(ctx, span) },
			func() error { return t.begin(ctx, first, nil) },
			func() error { return retry.Sleep(ctx, span) },
			func() error { return t.end(ctx, first, nil) },
			func() error { return awaitLive(ctx, router) },
			func() error { return retry.Sleep(ctx, span) },
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		c.stop()
		if c.err != nil {
			return c.err
		}
		r.Claim(proof.Exactly("failed requests", c.failed, 0, fmt.Sprintf("of %d", c.done)))
		r.Claim(proof.Exactly("reads of a value that was overwritten before", c.stale, 0, fmt.Sprintf("of %d", c.done/2)))
		r.Measured("reads that found nothing, because the replica had missed the write", float64(c.missed), fmt.Sprintf("of %d", c.done/2))
		r.Measured("longest request", milliseconds(c.longest), "ms")
		r.Note("%d clients, 3 shards of 2 replicas each, one replica in trouble for %v; timeout 400 ms, server_retry_timeout 2000 ms.", watchers, span)
		return nil
	}
}

// replicatedShards starts shards of two replicas each, and a router before them.
// It returns the first server of the first shard.
func replicatedShards(ctx context.Context, g *rig.Rig, n int) (first, router *rig.Proc, err error) {
	var servers, replicas []string
	for i := range n {
		var pair [2]*rig.Proc
		for k := range pair {
			if pair[k], err = g.Service(ctx, "memcached", fmt.Sprintf("shard-%d-%d", i, k), map[string]string{"DRAIN_DELAY": "0s"}); err != nil {
				return nil, nil, err
			}
		}
		if first == nil {
			first = pair[0]
		}
		servers = append(servers, fmt.Sprintf("%s:1 server%d", pair[0].Data, i))
		replicas = append(replicas, fmt.Sprintf("server%d %s", i, pair[1].Data))
	}
	router, err = ofMemcached().start(ctx, g, servers, map[string]string{
		"REPLICAS": strings.Join(replicas, ","), "HASH": "murmur", "TIMEOUT": shardTimeout.String(), "FAILURE_LIMIT": "1", "RETRY_TIMEOUT": shardRetry.String(),
	})
	return first, router, err
}

// counting is clients that write growing numbers, each under keys of its own, and
// read each back.
type counting struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu                          sync.Mutex // guards all below
	done, failed, stale, missed int
	longest                     time.Duration
	err                         error // of a client that lost its connection
}

func countUp(ctx context.Context, addr string) *counting {
	ctx, cancel := context.WithCancel(ctx)
	c := &counting{cancel: cancel}
	for i := range watchers {
		c.wg.Go(func() {
			if err := c.client(ctx, addr, i); err != nil {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.err = err
			}
		})
	}
	return c
}

func (c *counting) stop() {
	c.cancel()
	c.wg.Wait()
}

func (c *counting) client(ctx context.Context, addr string, n int) error {
	conn, err := dialMemcached(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.close()
	written := map[string]int{}
	for i := 1; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("client-%d-%d", n, i%50)
		read := fmt.Sprintf("client-%d-%d", n, (i+25)%50) // written 25 numbers ago
		for _, ask := range []func() (string, error){
			func() (string, error) { return conn.set(key, strconv.Itoa(i)) },
			func() (string, error) { return conn.get(read) },
		} {
			began := time.Now()
			answer, err := ask()
			if err != nil {
				return err
			}
			c.note(answer, written[read], time.Since(began))
		}
		written[key] = i
		if retry.Sleep(ctx, time.Millisecond) != nil {
			return nil
		}
	}
	return nil
}

// note judges an answer: a number must be the one that was written last.
func (c *counting) note(answer string, last int, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	c.longest = max(c.longest, took)
	switch n, err := strconv.Atoi(answer); {
	case answer == "STORED", answer == "nil" && last == 0:
	case answer == "nil":
		c.missed++
	case err != nil:
		c.failed++
	case n != last:
		c.stale++
	}
}

// awaitLive waits until no server is set aside.
func awaitLive(ctx context.Context, router *rig.Proc) error {
	return until(ctx, "all replicas are live", func() (bool, error) {
		var pools []struct {
			Shards []struct {
				Servers []struct {
					Live bool `json:"live"`
				} `json:"servers"`
			} `json:"shards"`
		}
		if err := getJSON(ctx, "http://"+router.Admin+"/shards", &pools); err != nil {
			return false, err
		}
		for _, s := range pools[0].Shards {
			for _, server := range s.Servers {
				if !server.Live {
					return false, nil
				}
			}
		}
		return true, nil
	})
}

// memoryOf is the memory of processes in MiB.
func memoryOf(procs []*rig.Proc) (float64, error) {
	var sum int64
	for _, p := range procs {
		pss, err := machine.PSS(p.PID())
		if err != nil {
			return 0, err
		}
		sum += pss
	}
	return float64(sum) / (1 << 20), nil
}
