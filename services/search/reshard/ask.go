package reshard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/upstream"
	"github.com/flotilla-dev/flotilla/services/search/wire"
)

// Bounds of a question.
const (
	answerTime  = 2 * time.Second
	answerLimit = 1 << 20
)

// Pools are replicas, found and checked as roots do it. They are closed by the caller.
type Pools struct {
	topic  string
	pools  []*upstream.Pool
	client *http.Client
	stop   context.CancelFunc
	work   sync.WaitGroup
}

// NewPools watches addresses: of the shards of a topic, or one of roots.
func NewPools(topic string, addresses []upstream.Address, intervals upstream.Intervals, health upstream.Health, log *slog.Logger) (*Pools, error) {
	ctx, stop := context.WithCancel(context.Background())
	p := &Pools{topic: topic, client: &http.Client{Timeout: answerTime, Transport: &http.Transport{MaxConnsPerHost: 2}}, stop: stop}
	for i, a := range addresses {
		pool, err := upstream.New(upstream.Options{Name: fmt.Sprint(topic, " ", i), Address: a, Intervals: intervals, Health: health, Log: log})
		if err != nil {
			p.Close()
			return nil, err
		}
		p.pools = append(p.pools, pool)
		p.work.Go(func() { _ = pool.Run(ctx) }) // it ends with ctx
	}
	return p, nil
}

// Close ends the checks.
func (p *Pools) Close() {
	p.stop()
	p.work.Wait()
	p.client.CloseIdleConnections()
}

// Reached is that of Leaves.
func (p *Pools) Reached(ctx context.Context, epochs []int64) error {
	if len(epochs) != len(p.pools) {
		return fmt.Errorf("%d epochs of %d shards", len(epochs), len(p.pools))
	}
	for shard, pool := range p.pools {
		err := p.each(pool, func(addr string) error {
			var s wire.Status
			if err := p.get(ctx, addr, &s); err != nil {
				return err
			}
			if s.Topic != p.topic || int(s.Partition) != shard {
				return fmt.Errorf("%s has partition %d of topic %s", addr, s.Partition, s.Topic)
			}
			if s.Epoch < epochs[shard] {
				return fmt.Errorf("%s has read %d of %d records", addr, s.Epoch, epochs[shard])
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("shard %d of the next layout: %w", shard, err)
		}
	}
	return nil
}

// knowing is what of a root's status is looked at.
type knowing struct {
	Control *struct {
		Topic    string `json:"topic"`
		Version  int64  `json:"version"`
		Prepared bool   `json:"prepared"`
	} `json:"control"`
}

// Know is that of Roots. All that the address leads to have to be there: one that does not answer may be one that writes.
func (p *Pools) Know(ctx context.Context, version int64) error {
	for _, pool := range p.pools {
		snapshot := pool.Snapshot()
		if len(snapshot.Endpoints) == 0 {
			return errors.New("no root is known")
		}
		for _, e := range snapshot.Endpoints {
			var k knowing
			if err := p.get(ctx, e.Addr, &k); err != nil {
				return err
			}
			switch {
			case k.Control == nil || k.Control.Topic != p.topic:
				return fmt.Errorf("root %s does not follow the control topic %s: its layout file does not name it", e.Addr, p.topic)
			case k.Control.Version < version:
				return fmt.Errorf("root %s has read version %d of the control topic, and not %d yet", e.Addr, k.Control.Version, version)
			case !k.Control.Prepared:
				return fmt.Errorf("root %s is not prepared: its layout file has no such next layout, or its shards have no replica that is ready", e.Addr)
			}
		}
	}
	return nil
}

// each asks all replicas that can be used, of which there has to be one.
func (p *Pools) each(pool *upstream.Pool, ask func(addr string) error) error {
	usable := 0
	for _, e := range pool.Snapshot().Endpoints {
		if !e.Usable {
			continue
		}
		usable++
		if err := ask(e.Addr); err != nil {
			return err
		}
	}
	if usable == 0 {
		return errors.New("no replica is ready")
	}
	return nil
}

func (p *Pools) get(ctx context.Context, addr string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/status", nil)
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers with status %d", addr, response.StatusCode)
	}
	return json.NewDecoder(io.LimitReader(response.Body, answerLimit)).Decode(answer)
}
