package experiments

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// searchDocument is a document as the API of search has it.
type searchDocument struct {
	ID     string            `json:"id"`
	Title  string            `json:"title"`
	Text   string            `json:"text"`
	Labels map[string]string `json:"labels,omitempty"`
}

// searchAnswer is what is compared and counted of an answer.
type searchAnswer struct {
	Query   string `json:"query"`
	Total   int64  `json:"total"`
	Harvest struct {
		Documents float64 `json:"documents"`
		Shards    int     `json:"shards"`
		Answered  int     `json:"answered"`
		Missing   []struct {
			Shard  int    `json:"shard"`
			Reason string `json:"reason"`
		} `json:"missing"`
	} `json:"harvest"`
	Hits   []searchHit               `json:"hits"`
	Facets map[string]map[string]int `json:"facets"`
	Next   string                    `json:"next"`
	Epochs map[string]int64          `json:"epochs"`

	status  int
	problem string // of an answer that is no success
}

// flaw is what is wrong with an answer that is not whole.
func (a searchAnswer) flaw() error {
	if a.status != http.StatusOK {
		return fmt.Errorf("status %d: %s", a.status, a.problem)
	}
	reasons := map[string]bool{}
	for _, m := range a.Harvest.Missing {
		reasons[m.Reason] = true
	}
	return fmt.Errorf("incomplete: a shard is %s", strings.Join(slices.Sorted(maps.Keys(reasons)), ", "))
}

type searchHit struct {
	ID    string  `json:"id"`
	Score float64 `json:"score"`
}

// whole tells whether all shards have answered.
func (a searchAnswer) whole() bool {
	return a.status == http.StatusOK && a.Harvest.Shards > 0 && a.Harvest.Answered == a.Harvest.Shards && a.Harvest.Documents == 1
}

// ids of the hits, in their order.
func (a searchAnswer) ids() []string {
	ids := []string{}
	for _, h := range a.Hits {
		ids = append(ids, h.ID)
	}
	return ids
}

// searchClient talks to a root.
type searchClient struct {
	base string
	http *http.Client
}

func newSearchClient(addr string) *searchClient {
	return &searchClient{"http://" + addr, &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
}

func (c *searchClient) close() { c.http.CloseIdleConnections() }

// maxSearchAnswer bounds what is read of an answer.
const maxSearchAnswer = 16 << 20

// do makes a request and reads the answer whole. An answer that is no success is not an error.
func (c *searchClient) do(ctx context.Context, method, path string, body []byte, into any) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		kind := "application/json"
		if method == http.MethodPost {
			kind = "application/x-ndjson"
		}
		req.Header.Set("Content-Type", kind)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxSearchAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if into != nil && resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(text, into); err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(text)) // who wants to tell what went wrong reads it again
	return resp, nil
}

// search asks for documents.
func (c *searchClient) search(ctx context.Context, v url.Values) (searchAnswer, error) {
	var a searchAnswer
	resp, err := c.do(ctx, http.MethodGet, "/v1/search?"+v.Encode(), nil, &a)
	if err != nil {
		return a, err
	}
	a.status = resp.StatusCode
	if a.status != http.StatusOK {
		var p struct{ Type, Detail string }
		_ = json.NewDecoder(resp.Body).Decode(&p) // what is no problem has no type
		a.problem = fmt.Sprintf("%s: %.60s", p.Type[strings.LastIndex(p.Type, "#")+1:], p.Detail)
	}
	return a, nil
}

// found is a search that must be whole.
func (c *searchClient) found(ctx context.Context, v url.Values) (searchAnswer, error) {
	a, err := c.search(ctx, v)
	if err == nil && !a.whole() {
		err = fmt.Errorf("search for %q: %w", v.Get("q"), a.flaw())
	}
	return a, err
}

// epochs are offsets of shards, as a caller gives them back.
type epochs map[string]int64

func (e epochs) add(other map[string]int64) {
	for shard, offset := range other {
		e[shard] = max(e[shard], offset)
	}
}

// String is the form of the parameter min_epochs.
func (e epochs) String() string {
	var parts []string
	for _, shard := range slices.Sorted(maps.Keys(e)) {
		parts = append(parts, fmt.Sprintf("%s:%d", shard, e[shard]))
	}
	return strings.Join(parts, ",")
}

// written is the answer to a write.
type written struct {
	Shard  int              `json:"shard"`
	Offset int64            `json:"offset"`
	Epochs map[string]int64 `json:"epochs"`
}

func (w written) seen() epochs {
	e := epochs{}
	e.add(w.Epochs)
	if len(e) == 0 {
		e[strconv.Itoa(w.Shard)] = w.Offset + 1
	}
	return e
}

// searchRefused is an answer that is no success.
type searchRefused struct {
	method, path string
	status       int
	retryAfter   string
	text         string
}

func (r searchRefused) Error() string {
	return fmt.Sprintf("%s %s: status %d: %.300s", r.method, r.path, r.status, r.text)
}

func (c *searchClient) write(ctx context.Context, method, path string, body []byte) (epochs, error) {
	var w written
	resp, err := c.do(ctx, method, path, body, &w)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body) // of memory
		return nil, searchRefused{method, path, resp.StatusCode, resp.Header.Get("Retry-After"), string(text)}
	}
	return w.seen(), nil
}

func (c *searchClient) put(ctx context.Context, d searchDocument) (epochs, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return c.write(ctx, http.MethodPut, "/v1/documents/"+url.PathEscape(d.ID), body)
}

func (c *searchClient) delete(ctx context.Context, id string) (epochs, error) {
	return c.write(ctx, http.MethodDelete, "/v1/documents/"+url.PathEscape(id), nil)
}

// The bounds of a batch of documents; the API allows a little more.
const (
	batchDocuments = 1000
	batchBytes     = 900 << 10
)

// load writes documents in batches, one after the other.
func (c *searchClient) load(ctx context.Context, documents []searchDocument) (epochs, error) {
	seen := epochs{}
	var batch bytes.Buffer
	n := 0
	flush := func() error {
		if n == 0 {
			return nil
		}
		e, err := c.write(ctx, http.MethodPost, "/v1/documents", batch.Bytes())
		seen.add(e)
		batch.Reset()
		n = 0
		return err
	}
	for _, d := range documents {
		line, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		if n == batchDocuments || batch.Len()+len(line) > batchBytes {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		batch.Write(append(line, '\n'))
		n++
	}
	return seen, flush()
}

// settle waits until all shards answer with epochs.
func (c *searchClient) settle(ctx context.Context, least epochs) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	for {
		a, err := c.search(ctx, url.Values{"q": {"settled"}, "limit": {"1"}, "require": {"all"}, "min_epochs": {least.String()}})
		if err == nil && a.whole() {
			return nil
		}
		if err == nil && a.status >= 400 && a.status < 500 {
			return fmt.Errorf("search for what has been written: status %d", a.status)
		}
		if waiting := retry.Sleep(ctx, 200*time.Millisecond); waiting != nil {
			return fmt.Errorf("the leaves do not reach %s: status %d, %v", least, a.status, err)
		}
	}
}

// pages asks for the hits of a query page by page, at most so many of them.
func (c *searchClient) pages(ctx context.Context, v url.Values, most int) ([]searchAnswer, error) {
	var all []searchAnswer
	for len(all) < most {
		a, err := c.search(ctx, v)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
		if a.Next == "" || a.status != http.StatusOK {
			break
		}
		next := url.Values{}
		maps.Copy(next, v)
		next.Set("after", a.Next)
		v = next
	}
	return all, nil
}

// scoreTolerance is how far scores may be from each other.
const scoreTolerance = 1e-6

// differs tells how an answer is not another one's equal, "" when it is. Bits count the scores that are not the same to the last bit.
func (a searchAnswer) differs(b searchAnswer) (why string, bits int) {
	if a.status != b.status {
		return fmt.Sprintf("status %d and %d", a.status, b.status), 0
	}
	if a.Total != b.Total {
		return fmt.Sprintf("%d and %d documents", a.Total, b.Total), 0
	}
	if !slices.Equal(a.ids(), b.ids()) {
		return fmt.Sprintf("hits %v and %v", a.ids(), b.ids()), 0
	}
	for i := range a.Hits {
		one, two := a.Hits[i].Score, b.Hits[i].Score
		if !(math.Abs(one-two) <= scoreTolerance) { // and nothing is near to what is no number
			return fmt.Sprintf("score of %s: %v and %v", a.Hits[i].ID, one, two), 0
		}
		if one != two {
			bits++
		}
	}
	if !maps.EqualFunc(a.Facets, b.Facets, func(x, y map[string]int) bool { return maps.Equal(x, y) }) {
		return fmt.Sprintf("facets %v and %v", a.Facets, b.Facets), 0
	}
	if (a.Next == "") != (b.Next == "") {
		return "one has a next page", 0
	}
	return "", bits
}
