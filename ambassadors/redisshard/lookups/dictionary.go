package lookups

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// dictionary asks the dictionary service.
type dictionary struct {
	client *http.Client
	base   string // URL of its words
}

var (
	notFound = problem.New(http.StatusNotFound, "word-not-found", "the dictionary does not have this word")
	failed   = problem.New(http.StatusBadGateway, "upstream-failed", "the dictionary gave no valid answer")
)

// entry returns what the dictionary knows of a word, as JSON in one line.
func (d *dictionary) entry(ctx context.Context, word string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+url.PathEscape(word), nil)
	if err != nil {
		return nil, fmt.Errorf("ask dictionary: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := d.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", failed, err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusPermanentRedirect: // another spelling is another word
		return nil, notFound
	default:
		return nil, fmt.Errorf("%w: status %d", failed, answer.StatusCode)
	}
	body, err := io.ReadAll(answer.Body) // bounded by the client
	if err != nil {
		return nil, fmt.Errorf("%w: %w", failed, err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, body); err != nil {
		return nil, fmt.Errorf("%w: %w", failed, err)
	}
	return line.Bytes(), nil
}
