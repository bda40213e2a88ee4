package relevance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// The bounds of one request that writes documents.
const (
	maxBatch      = 1000
	maxBatchBytes = 1_000_000 // a search that reads 1 MiB takes it, and so does one whose megabyte is decimal
)

// Feed writes the documents of a file and waits until a search sees all of them. It returns how many there are, and how many documents
// the search has: those that it had before are part of every score.
func (c *Client) Feed(ctx context.Context, documents string) (written, searched int64, err error) {
	f := feed{client: c, ctx: ctx, epochs: map[string]int64{}}
	if err := EachDocument(documents, f.add); err != nil {
		return f.written, 0, err
	}
	if err := f.flush(); err != nil {
		return f.written, 0, err
	}
	searched, err = c.documentsAt(ctx, f.epochs)
	return f.written, searched, err
}

type feed struct {
	client  *Client
	ctx     context.Context // of the one call of Feed
	batch   bytes.Buffer
	n       int
	written int64
	epochs  map[string]int64 // of each shard: after the last document
}

func (f *feed) add(d Document) error {
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if f.n == maxBatch || f.batch.Len()+len(line)+1 > maxBatchBytes {
		if err := f.flush(); err != nil {
			return err
		}
	}
	f.n++
	f.batch.Write(line)
	return f.batch.WriteByte('\n')
}

// flush writes what there is. A document that is written twice is one document, so that a request whose answer is lost may be repeated.
func (f *feed) flush() error {
	if f.n == 0 {
		return nil
	}
	var answer struct {
		Epochs map[string]int64 `json:"epochs"`
	}
	err := retry.Do(f.ctx, patience, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.client.URL+"/v1/documents", bytes.NewReader(f.batch.Bytes()))
		if err != nil {
			return retry.Stop(err)
		}
		request.Header.Set("Content-Type", "application/x-ndjson")
		return f.client.do(request, &answer)
	})
	if err != nil {
		return fmt.Errorf("write %d documents: %w", f.n, err)
	}
	maps.Copy(f.epochs, answer.Epochs) // one write after the other: later ones of a shard are higher
	f.written += int64(f.n)
	f.n = 0
	f.batch.Reset()
	return nil
}

// documentsAt waits until the epochs are reached, and counts what can be seen.
func (c *Client) documentsAt(ctx context.Context, epochs map[string]int64) (int64, error) {
	var least []string
	for _, shard := range slices.Sorted(maps.Keys(epochs)) {
		least = append(least, fmt.Sprintf("%s:%d", shard, epochs[shard]))
	}
	var seen answer
	values := url.Values{"q": {"*"}, "limit": {"1"}, "require": {"all"}, "min_epochs": {strings.Join(least, ",")}}
	if err := c.get(ctx, "/v1/search?"+values.Encode(), &seen); err != nil {
		return 0, fmt.Errorf("wait until the documents can be seen: %w", err)
	}
	return seen.Total, nil
}
