package game

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Collector collects coins for one player, and keeps account.
type Collector struct {
	Player string
	Client *http.Client
	URL    string
	Home   map[string]*Shard // who is to answer in each region

	Told      int // coins that the player was told of
	Again     int // requests that it was asked to send again
	Misplaced int // answers of another shard than the region's
	Wrong     int // answers that did not count one coin more
	Failed    int // requests of which nobody said how they ended
	Last      string
}

// moving is what a player waits before it sends a request again that nobody carried out.
const moving = 20 * time.Millisecond

// Run collects until ctx ends.
func (c *Collector) Run(ctx context.Context) {
	for ctx.Err() == nil {
		// A request that was begun is finished: otherwise nobody knew whether it counts.
		if !c.collect(context.WithoutCancel(ctx)) {
			select {
			case <-time.After(moving):
			case <-ctx.Done():
			}
		}
	}
}

// collect sends one request, and returns whether it was carried out.
func (c *Collector) collect(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	status, body, err := c.send(ctx)
	switch {
	case err != nil:
		c.fail(err.Error())
		return false
	case status == http.StatusServiceUnavailable && strings.Contains(string(body), "#session-moving"):
		c.Again++
		return false
	case status != http.StatusOK:
		c.fail(fmt.Sprintf("status %d: %.200s", status, body))
		return false
	}
	var found Found
	if err := json.Unmarshal(body, &found); err != nil {
		c.fail(err.Error())
		return false
	}
	c.Told++
	if found.Coins != c.Told {
		c.Wrong++
	}
	if home := c.Home[found.Region]; home == nil || home.Name != found.Shard {
		c.Misplaced++
	}
	return true
}

func (c *Collector) fail(why string) { c.Failed, c.Last = c.Failed+1, why }

func (c *Collector) send(ctx context.Context) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, strings.NewReader("dig"))
	if err != nil {
		return 0, nil, err
	}
	r.AddCookie(&http.Cookie{Name: Cookie, Value: c.Player})
	answer, err := c.Client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	return answer.StatusCode, body, err
}
