package gitserver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// hook posts to a URL after a push. It saves its reader a wait, no more: who is not
// reached after a few attempts will ask by itself.
type hook struct {
	url    string
	key    []byte
	client *http.Client
	log    *slog.Logger
	events chan event
}

// event is the body, with the names that GitHub gives.
type event struct {
	Ref    string `json:"ref"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func newHook(url string, key []byte, log *slog.Logger) (*hook, error) {
	settings := retry.DefaultSettings()
	settings.RetryAttempts = 1 // this loop repeats
	client, err := httpclient.New(httpclient.Options{Name: "hook", Timeout: 3 * time.Second, MaxBody: 64 << 10, Retry: settings})
	if err != nil {
		return nil, err
	}
	return &hook{url: url, key: key, client: client, log: log, events: make(chan event, 64)}, nil
}

// pushed tells of commands that were carried out.
func (h *hook) pushed(commands []*packp.Command) {
	if h.url == "" {
		return
	}
	c := commands[len(commands)-1]
	select {
	case h.events <- event{Ref: c.Name.String(), Before: c.Old.String(), After: c.New.String()}:
	default: // who is told of the pushes before will find this one as well
	}
}

func (h *hook) run(ctx context.Context) error {
	defer h.client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-h.events:
			policy := retry.Policy{Attempts: 3, Backoff: retry.Backoff{Base: 200 * time.Millisecond, Max: time.Second}}
			if err := retry.Do(ctx, policy, func(ctx context.Context) error { return h.post(ctx, e) }); err != nil && ctx.Err() == nil {
				h.log.Warn("hook not called", "url", h.url, "error", err)
			}
		}
	}
}

func (h *hook) post(ctx context.Context, e event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, h.key)
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
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
