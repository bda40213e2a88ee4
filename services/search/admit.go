package search

import (
	"context"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/services/search/bulkhead"
)

// places is how many requests may wait for each that is worked on.
const places = 4

// enter waits for the caller's turn. Who has not got one is told to come back.
func enter(ctx context.Context, b *bulkhead.Bulkhead) error {
	if b.Enter(ctx) != nil {
		return problem.New(http.StatusServiceUnavailable, "overloaded", "there is more to do here than can be done in time; come back in a moment").Retry(time.Second)
	}
	return nil
}
