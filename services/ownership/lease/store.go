package lease

import (
	"context"
	"errors"
	"time"
)

// A Token is the fencing token of a grant: larger than those of all earlier grants
// of the same name. 0 is no token.
type Token uint64

// A Grant is what a holder got. It is plain data: who has it can renew and release.
type Grant struct {
	Name    string
	Holder  string
	Token   Token
	TTL     time.Duration // from a renewal on; never longer than what the store granted
	Version string        // of the record in the store, for compare-and-swap; opaque
}

// A Record is what the store knows of a name.
type Record struct {
	Name    string
	Holder  string // "" when nobody holds it
	Token   Token  // of the holder
	TTL     time.Duration
	Left    time.Duration // until the store takes it away, at the time of the answer; 0 when unknown
	Since   time.Time     // by the holder's clock, for people
	Ended   string        // why the last one no longer holds it, when the store knows: Resigned or Expired
	Before  string        // the same of the one before the holder, as the holder found it
	Version string        // "" for a record that was never looked at
}

// Why a record has no holder any more.
const (
	Resigned = "resigned" // it was given back
	Expired  = "expired"  // the holder was silent for its TTL
)

// Errors of a Store. All others mean that it could not be asked, and that what
// became of the request is not known.
var (
	// ErrHeld is what Acquire gives when the name is somebody's, or has just
	// become somebody's.
	ErrHeld = errors.New("the name is held")
	// ErrLost is what Renew and Release give when the grant is no longer the one
	// that holds the name.
	ErrLost = errors.New("the grant is not the holder's any more")
	// ErrUnreadable is for a record that no Store wrote. It is nobody's to take.
	ErrUnreadable = errors.New("the record is not one of a lease")
)

// A Store keeps who holds which name. Each method is a compare-and-swap or a look; what is
// compared is the version of the record, which the store never gives twice.
type Store interface {
	// Acquire takes a name for a holder, if it is free or its lease has ended.
	// The holder is unique to one run of one process.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (Grant, error)
	// Renew begins the TTL again, and returns the grant to renew the next time.
	// It succeeds only if the grant was the holder's all the time.
	Renew(ctx context.Context, g Grant) (Grant, error)
	// Release gives a name back, if the grant still is the holder's.
	Release(ctx context.Context, g Grant) error
	// Next returns the record as soon as it differs from seen in its holder, its token
	// or why it ended: at once for the zero Record. It watches and does not poll. Records in
	// between may be missed, the newest never is.
	Next(ctx context.Context, name string, seen Record) (Record, error)
}
