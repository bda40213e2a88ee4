package control

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/flotilla-dev/flotilla/services/search/doclog"
)

// A View follows a control topic. It is safe for concurrent use.
type View struct {
	log     *slog.Logger
	changed func(State) // called in order, by Follow
	now     func() time.Time

	mu    sync.Mutex // guards all below
	state State
	known bool          // the end of the log was seen once
	heard time.Time     // when the end of the log was asked for that was seen last
	until time.Time     // when what was open then is to be looked at again
	news  chan struct{} // closed when anything above changes
}

// NewView returns a view that knows nothing yet. changed is told of every state, also of the first one, which may have no version.
func NewView(log *slog.Logger, changed func(State)) *View {
	return &View{log: quiet(log), changed: changed, now: time.Now, news: make(chan struct{})}
}

// Follow keeps the view until ctx ends. Its other errors are those that have to be known to people.
func (v *View) Follow(ctx context.Context, c *doclog.Cluster) error {
	if err := c.Await(ctx, 1, true); err != nil {
		return err
	}
	for {
		from, err := c.Oldest(0)
		if err == nil {
			asked := v.now()
			f := doclog.Follower{Cluster: c, From: from, Handle: func(_ context.Context, b doclog.Batch) error {
				v.take(b, asked)
				asked = v.now() // the next request is sent behind this
				return nil
			}}
			err = f.Follow(ctx)
		}
		var gone *doclog.Gone
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &gone): // what was decided is not known any more, so that nothing must be written
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// take notes what a request has brought that was sent at some time.
func (v *View) take(b doclog.Batch, asked time.Time) {
	v.mu.Lock()
	state, first := v.state, false
	for _, r := range b.Records {
		next, wrong := fold(state, r)
		if wrong != nil {
			v.log.Warn("a record of the control topic is void", "offset", r.Offset, "why", wrong)
			continue
		}
		state = next
	}
	end := b.Next >= b.End
	if end && !v.known {
		v.known, first = true, true
	}
	moved := state.Version != v.state.Version
	v.state = state
	if end {
		v.heard = asked
	}
	if end && state.openAtAll() {
		v.until = asked.Add(Lease)
	}
	known := v.known
	close(v.news)
	v.news = make(chan struct{})
	v.mu.Unlock()
	if v.changed != nil && known && (first || moved) {
		v.changed(state)
	}
}

func (s State) openAtAll() bool { return s.Version == 0 || s.Phase.Open() }

// State is what is known; known is false until the end of the log was seen.
func (v *View) State() (s State, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state, v.known
}

// Heard tells whether the end of the log was seen, by a request not longer ago than this.
func (v *View) Heard(within time.Duration) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.known && v.now().Sub(v.heard) <= within
}

// Writable tells whether records may be written to this topic now, and whether what the log has acknowledged by now is before any seal of it.
// first is the topic that serves where no step was ever taken.
func (v *View) Writable(topic, first string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	serving := v.state.Serving.Topic
	if v.state.Version == 0 {
		serving = first
	}
	return v.known && topic == serving && v.now().Before(v.until)
}

// News is closed when something is new after this call: also that nothing is.
func (v *View) News() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.news
}
