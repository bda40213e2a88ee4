package scatter

import (
	"context"
	"errors"

	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// A Reason says why a shard is missing. The set is closed: reasons are labels of metrics and part of answers.
type Reason string

// The reasons.
const (
	NoReplica   Reason = "no-replica"  // none of its replicas can be used
	Unreachable Reason = "unreachable" // connections are refused, or broke
	TimedOut    Reason = "timed-out"   // no answer in time
	Overloaded  Reason = "overloaded"  // its replicas have too much to do
	Failed      Reason = "failed"      // it answered an error, or nonsense
	Refused     Reason = "refused"     // the request asks for what its replicas do not have
	Cancelled   Reason = "cancelled"   // the caller has gone away
)

// reasons are all of them.
var reasons = []Reason{NoReplica, Unreachable, TimedOut, Overloaded, Failed, Refused, Cancelled}

// A Failure is the error of a call that has more to say than an error of the network does.
type Failure struct {
	Reason  Reason
	Outcome upstream.Outcome // what the pool is told
	Final   bool             // every replica would say the same: none is asked instead
	Err     error
}

func (f *Failure) Error() string { return string(f.Reason) + ": " + f.Err.Error() }

// Unwrap gives what is behind it.
func (f *Failure) Unwrap() error { return f.Err }

// failure reads the error of a call.
func failure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	outcome := upstream.OfError(err)
	reason := Unreachable
	switch {
	case errors.Is(err, context.DeadlineExceeded) || outcome == upstream.Timeout:
		reason = TimedOut
	case outcome == upstream.Canceled:
		reason = Cancelled
	}
	return &Failure{Reason: reason, Outcome: outcome, Err: err}
}
