package loads

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Proxies are the sharding proxies.
type Proxies struct {
	Client *http.Client
	// Members gives the addresses of their administration listeners, as they are now.
	Members   func() ([]string, error)
	TokenFile string        // with their administration token; "" for none
	Timeout   time.Duration // of a look
	// ChangeTimeout is that of a change at one proxy, which waits until it has found the replicas.
	ChangeTimeout time.Duration
}

// atOnce bounds the proxies that are asked at the same time.
const atOnce = 16

// Look asks all proxies.
func (p *Proxies) Look(ctx context.Context) (View, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	members, err := p.Members()
	if err != nil {
		return View{}, err
	}
	all := make([]answer, len(members))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, addr := range members {
		group.Go(func() error {
			all[i].proxy = addr
			if err := p.get(ctx, addr, "/v1/shards", &all[i].shards); err != nil {
				return err
			}
			var err error
			all[i].layout, _, err = p.layout(ctx, addr)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return View{}, err
	}
	return merge(all)
}

// attempts bounds how often somebody else may have changed a layout first.
const attempts = 3

// Place tells all proxies where the replicas of a shard are. The key of a request is placed by the name of
// the shard, which stays: no key moves to another shard. After an error some proxies may have been told.
func (p *Proxies) Place(ctx context.Context, shard, replicas string) error {
	members, err := p.Members()
	if err != nil {
		return err
	}
	if len(members) == 0 {
		return errors.New("no proxy is known")
	}
	for _, addr := range members {
		err := errChanged
		for n := 0; n < attempts && errors.Is(err, errChanged); n++ {
			err = p.placeAt(ctx, addr, shard, replicas)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var errChanged = errors.New("its layout was changed by somebody else at the same time")

func (p *Proxies) placeAt(ctx context.Context, addr, shard, replicas string) error {
	ctx, cancel := context.WithTimeout(ctx, p.ChangeTimeout)
	defer cancel()
	l, tag, err := p.layout(ctx, addr)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(l.Shards, func(s layoutShard) bool { return s.Name == shard })
	if at < 0 {
		return fmt.Errorf("proxy %s has no shard %s", addr, shard)
	}
	if l.Shards[at].Replicas == replicas {
		return nil
	}
	l.Shards[at].Replicas = replicas
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("write the layout of proxy %s: %w", addr, err)
	}
	_, err = p.ask(ctx, http.MethodPost, addr, "/v1/plan?apply=true", body, tag, nil)
	return err
}

func (p *Proxies) layout(ctx context.Context, addr string) (l layout, tag string, err error) {
	h, err := p.ask(ctx, http.MethodGet, addr, "/v1/layout", nil, "", &l)
	if err == nil && len(l.Shards) == 0 {
		err = fmt.Errorf("proxy %s has no shards", addr)
	}
	return l, h.Get("ETag"), err
}

func (p *Proxies) get(ctx context.Context, addr, path string, into any) error {
	_, err := p.ask(ctx, http.MethodGet, addr, path, nil, "", into)
	return err
}

// ask makes a request whose answer is 200, and reads it.
func (p *Proxies) ask(ctx context.Context, method, addr, path string, body []byte, match string, into any) (http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask proxy %s: %w", addr, err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if match != "" {
		r.Header.Set("If-Match", match)
	}
	if p.TokenFile != "" {
		token, err := watch.Read(p.TokenFile) // again and again: it may be replaced
		if err != nil {
			return nil, fmt.Errorf("read the token of the proxies: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := p.Client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask proxy %s: %w", addr, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusPreconditionFailed {
		return nil, fmt.Errorf("proxy %s: %w", addr, errChanged)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask proxy %s for %s: %s: %s", addr, path, resp.Status, detail(resp.Body))
	}
	if into == nil {
		return resp.Header, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return nil, fmt.Errorf("read answer of proxy %s: %w", addr, err)
	}
	return resp.Header, nil
}

// detail reads that of a problem.
func detail(body io.Reader) string {
	var problem struct{ Detail string }
	text, _ := io.ReadAll(io.LimitReader(body, 4<<10)) // what there is of it
	if json.Unmarshal(text, &problem) != nil || problem.Detail == "" {
		return "it does not say why"
	}
	return problem.Detail
}
