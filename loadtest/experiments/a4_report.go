package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// splitReport is what is looked at of GET /v1/experiments.
type splitReport struct {
	File struct {
		Loaded time.Time `json:"loaded"`
	} `json:"file"`
	Experiments []struct {
		State string `json:"state"`
		Stop  struct {
			Reason string    `json:"reason"`
			At     time.Time `json:"at"`
		} `json:"stop"`
	} `json:"experiments"`
	Shadows []struct {
		Verdicts map[string]float64 `json:"verdicts"`
		Dropped  float64            `json:"dropped"`
	} `json:"shadows"`
}

func (a *armed) report(ctx context.Context) (splitReport, error) {
	var r splitReport
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.Admin+"/v1/experiments", nil)
	if err != nil {
		return r, err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		return r, fmt.Errorf("report: %w", err)
	}
	return r, nil
}

var errNever = errors.New("the report did not become as expected in ten seconds")

// until waits for a report.
func (a *armed) until(ctx context.Context, is func(splitReport) bool) (splitReport, error) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		r, err := a.report(ctx)
		if err != nil || is(r) {
			return r, err
		}
		if time.Now().After(deadline) {
			return r, errNever
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return r, err
		}
	}
}

// reloaded waits until the file that was changed at a time is in use, and returns how long that took.
func (a *armed) reloaded(ctx context.Context, changed time.Time) (time.Duration, error) {
	_, err := a.until(ctx, func(r splitReport) bool { return r.File.Loaded.After(changed) })
	return time.Since(changed), err
}
