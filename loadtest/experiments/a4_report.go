package experiments

import (
	"context"
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

func (a *armed) report(ctx context.Context) (r splitReport, err error) {
	return r, getJSON(ctx, "http://"+a.Admin+"/v1/experiments", &r)
}

// until waits for a report.
func (a *armed) until(ctx context.Context, what string, is func(splitReport) bool) (r splitReport, err error) {
	err = until(ctx, what, func() (bool, error) {
		r, err = a.report(ctx)
		return is(r), err
	})
	return r, err
}

// reloaded waits until the file that was changed at a time is in use, and returns how long that took.
func (a *armed) reloaded(ctx context.Context, changed time.Time) (time.Duration, error) {
	_, err := a.until(ctx, "the changed file is in use", func(r splitReport) bool { return r.File.Loaded.After(changed) })
	return time.Since(changed), err
}
