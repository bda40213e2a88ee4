package relevance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

const (
	maxAnswer = 16 << 20
	atATime   = 4 // queries
	pageSize  = 100
)

// Client asks a search.
type Client struct {
	URL   string // http://127.0.0.1:8107
	Depth int    // hits wanted for a query; 0: 1000, as TREC has it
	// Warn hears of what is no error, such as a query that the search refuses; of one thing at a time.
	Warn func(format string, args ...any)

	http    *http.Client
	warning sync.Mutex
}

// NewClient returns a client for the search at a URL.
func NewClient(search string) (*Client, error) {
	u, err := url.Parse(search)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("address of the search is %q: want http://host:port", search)
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, MaxConnsPerHost: atATime, MaxIdleConnsPerHost: atATime,
	}}
	return &Client{URL: strings.TrimSuffix(search, "/"), Depth: 1000, Warn: func(string, ...any) {}, http: client}, nil
}

// Close ends connections that are kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ask asks all queries. A partial answer is none: documents that were not searched would be missed in the ranking.
func (c *Client) Ask(ctx context.Context, queries []Query) (Run, error) {
	var mu sync.Mutex
	run := Run{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atATime)
	for _, q := range queries {
		group.Go(func() error {
			hits, err := c.hits(ctx, q)
			if err != nil {
				return fmt.Errorf("query %s: %w", q.ID, err)
			}
			mu.Lock()
			defer mu.Unlock()
			run[q.ID] = hits
			return nil
		})
	}
	return run, group.Wait()
}

func (c *Client) warn(format string, args ...any) {
	c.warning.Lock()
	defer c.warning.Unlock()
	c.Warn(format, args...)
}

// hits are those of all pages down to the depth.
func (c *Client) hits(ctx context.Context, q Query) ([]Hit, error) {
	text, cut := Words(q.Text)
	if cut {
		c.warn("query %s is too long for the search, which takes %d words: asked with fewer", q.ID, maxWords)
	}
	if text == "" {
		c.warn("query %s has no words", q.ID)
		return nil, nil
	}
	var hits []Hit
	values := url.Values{"q": {text}, "operator": {"or"}, "require": {"all"}}
	for len(hits) < c.Depth {
		values.Set("limit", strconv.Itoa(min(pageSize, c.Depth-len(hits))))
		var page answer
		switch err := c.get(ctx, "/v1/search?"+values.Encode(), &page); {
		case isRefusal(err) && len(hits) == 0: // of the query; that of a later page would be a fault
			c.warn("query %s (%s): %v", q.ID, text, err)
			return nil, nil
		case err != nil:
			return nil, err
		}
		for _, h := range page.Hits {
			hits = append(hits, Hit{Document: h.ID, Score: h.Score})
		}
		if page.Next == "" || len(page.Hits) == 0 {
			break
		}
		values.Set("after", page.Next)
	}
	return hits, nil
}

// answer is what is looked at of a search's answer.
type answer struct {
	Total int64 `json:"total"`
	Hits  []struct {
		ID    string  `json:"id"`
		Score float64 `json:"score"`
	} `json:"hits"`
	Next string `json:"next"`
}

// A statusError is an answer that is none.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.text) }

func isRefusal(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.status == http.StatusBadRequest
}

// patience is for a search that is busy, starts, or has not read its log yet.
var patience = retry.Policy{Attempts: 60, Backoff: retry.Backoff{Base: 100 * time.Millisecond, Max: 2 * time.Second}}

func (c *Client) get(ctx context.Context, path string, into any) error {
	return retry.Do(ctx, patience, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+path, nil)
		if err != nil {
			return retry.Stop(err)
		}
		return c.do(request, into)
	})
}

// do sends a request and reads its answer. What may be better later is marked by not being marked as final.
func (c *Client) do(request *http.Request, into any) error {
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		err := &statusError{response.StatusCode, explained(body)}
		if response.StatusCode < 500 && response.StatusCode != http.StatusTooManyRequests {
			return retry.Stop(err)
		}
		wait, _ := retry.ParseRetryAfter(response.Header.Get("Retry-After"), time.Now())
		return retry.After(err, wait)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return retry.Stop(fmt.Errorf("answer is no JSON as a search writes it: %w", err))
	}
	return nil
}

// explained is the detail of a problem+json, or what else was answered.
func explained(body []byte) string {
	var p struct{ Title, Detail string }
	if json.Unmarshal(body, &p) == nil && p.Title != "" {
		return strings.TrimSuffix(p.Title+": "+p.Detail, ": ")
	}
	return abbreviated(strings.TrimSpace(string(body)))
}
