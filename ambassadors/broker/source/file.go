package source

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

// File is a watched file with a list of addresses.
type File struct{ Path string }

// Name is "file".
func (File) Name() string { return "file" }

// Run looks at the file again and again, as package watch does, but sees too
// that it has gone.
func (f File) Run(ctx context.Context, report func(Report)) {
	m := &memory{report: report}
	every(ctx, watch.Interval, func() {
		content, err := watch.Read(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			m.gone("the file is not there")
			return
		case err != nil:
			m.failed(err.Error())
			return
		}
		candidates, err := parse(string(content))
		switch {
		case errors.Is(err, errEmpty):
			m.gone("the file is empty")
		case err != nil:
			m.failed(err.Error())
		default:
			m.found(candidates)
		}
	})
}

// every calls look now and once a period until ctx ends.
func every(ctx context.Context, period time.Duration, look func()) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
