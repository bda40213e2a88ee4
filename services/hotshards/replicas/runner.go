package replicas

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

// A Runner is the runner of the local fleet, spoken to over its control socket.
type Runner struct {
	http    *http.Client
	timeout time.Duration
	start   time.Duration
}

// NewRunner returns one. timeout bounds a question; start is how long the runner may take to start or stop replicas.
func NewRunner(socket string, timeout, start time.Duration) *Runner {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Runner{&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}, timeout, start}
}

// The bounds of an answer.
const (
	maxFleet    = 4 << 20
	maxMessages = 1 << 20
)

// Count counts the replicas of services.
func (r *Runner) Count(ctx context.Context, services ...string) (map[string]Count, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	resp, err := r.do(ctx, http.MethodGet, "fleet", nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var fleet struct {
		State     string
		Processes []struct{ Name, State string }
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxFleet)).Decode(&fleet); err != nil {
		return nil, fmt.Errorf("read the fleet: %w", err)
	}
	// A fleet that starts waits for us, too; what has not started yet is counted as ordered and not ready.
	if !slices.Contains([]string{"starting", "ready", "degraded"}, fleet.State) {
		return nil, fmt.Errorf("the fleet is %q", fleet.State)
	}
	counts := map[string]Count{}
	for _, p := range fleet.Processes {
		c := counts[p.Name]
		c.Want++
		if p.State == "ready" {
			c.Ready++
		}
		counts[p.Name] = c
	}
	found := map[string]Count{}
	for _, name := range services {
		c, there := counts[name]
		if !there { // the runner keeps at least one of each
			return nil, fmt.Errorf("the fleet has no service %s", name)
		}
		found[name] = c
	}
	return found, nil
}

// Scale brings a service to a number of replicas and waits until the runner has done so. A replica
// that goes is taken from the endpoint file before it is told to end.
func (r *Runner) Scale(ctx context.Context, service string, from, to int) error {
	have, err := r.Count(ctx, service)
	if err != nil {
		return err
	}
	if n := have[service].Want; n != from {
		return fmt.Errorf("service %s has %d replicas, not %d: %w", service, n, from, ErrChanged)
	}
	ctx, cancel := context.WithTimeout(ctx, r.start)
	defer cancel()
	body, err := json.Marshal(map[string]any{"name": service, "count": to})
	if err != nil {
		return err
	}
	resp, err := r.do(ctx, http.MethodPost, "scale", body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	messages := json.NewDecoder(io.LimitReader(resp.Body, maxMessages))
	for {
		var m struct {
			Done  bool
			Error string
		}
		switch err := messages.Decode(&m); {
		case err != nil:
			return fmt.Errorf("the runner was not done: %w", err)
		case m.Error != "":
			return errors.New(m.Error)
		case m.Done:
			return nil
		}
	}
}

func (r *Runner) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://runner/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the runner: %w", err)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the runner: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // what there is of it
		return nil, fmt.Errorf("the runner answers %s: %s", resp.Status, text)
	}
	return resp, nil
}
