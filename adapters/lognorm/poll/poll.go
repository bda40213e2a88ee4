// Package poll reads records from what does not write them anywhere: it asks
// again and again, and tells what is new by a cursor.
package poll

import (
	"context"
	"encoding/json"
	"time"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Poller is a source that is asked.
type Poller interface {
	// Poll hands on what is new after the cursor, oldest first, and returns the
	// cursor after it. A nil cursor is the beginning. Missed is how many records
	// were there since the cursor and are gone. An error of emit ends it.
	Poll(ctx context.Context, now time.Time, cursor json.RawMessage, emit func(*record.Record) error) (after json.RawMessage, missed int, err error)
	Close()
}
