package gitsync

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// hook posts each new revision to a URL until it is taken. A newer revision takes
// the place of one that was not.
type hook struct {
	url    string
	client *http.Client
	log    *slog.Logger
	count  func(result string)
	wake   chan struct{}

	mu     sync.Mutex // guards all below
	due    string     // revision that is to be told; "" for none
	status HookStatus
}

// HookStatus is what became of the last call.
type HookStatus struct {
	URL      string    `json:"url"`
	Pending  bool      `json:"pending"`            // the application has not taken the revision yet
	Revision string    `json:"revision,omitempty"` // that was taken last
	At       time.Time `json:"at,omitzero"`
	Error    string    `json:"error,omitempty"` // why it is pending
}

func newHook(url string, log *slog.Logger, count func(string)) (*hook, error) {
	settings := retry.DefaultSettings()
	settings.RetryAttempts = 1 // this loop repeats, and shows that it does
	client, err := httpclient.New(httpclient.Options{Name: "hook", Timeout: 5 * time.Second, MaxBody: 64 << 10, Retry: settings})
	if err != nil {
		return nil, err
	}
	return &hook{url: url, client: client, log: log, count: count, wake: make(chan struct{}, 1), status: HookStatus{URL: url}}, nil
}

func (h *hook) read() any {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

// changed says that a revision was swapped in just now.
func (h *hook) changed(revision string) {
	h.mu.Lock()
	h.due, h.status.Pending = revision, true
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default: // it is awake already and has not looked yet
	}
}

// run tells what is due until ctx ends.
func (h *hook) run(ctx context.Context) error {
	defer h.client.CloseIdleConnections()
	backoff := retry.Backoff{Base: 250 * time.Millisecond, Max: 10 * time.Second}
	for failures := 0; ; {
		var again <-chan time.Time
		if failures > 0 {
			again = time.After(backoff.Delay(failures - 1))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
		case <-again:
		}
		if h.deliver(ctx) {
			failures = 0
			continue
		}
		failures++
	}
}

// deliver tells whether nothing is due any more.
func (h *hook) deliver(ctx context.Context) bool {
	h.mu.Lock()
	revision := h.due
	h.mu.Unlock()
	if revision == "" {
		return true
	}
	err := h.post(ctx, revision)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.count("failed")
		if h.status.Error == "" && ctx.Err() == nil { // told once
			h.log.Warn("application not told of its new revision", "url", h.url, "error", err)
		}
		h.status.Error = "the hook did not answer with 2xx"
		return false
	}
	h.count("sent")
	h.status.Revision, h.status.At, h.status.Error = revision, now(), ""
	if h.due == revision { // else there is a newer one
		h.due, h.status.Pending = "", false
	}
	return h.due == ""
}

func (h *hook) post(ctx context.Context, revision string) error {
	body, err := json.Marshal(map[string]string{"revision": revision})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", revision)
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // only the status matters
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}
