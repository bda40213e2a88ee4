package upstream

import (
	"context"
	"errors"
	"net"
)

// An Outcome is how a request to an endpoint ended, in the words of the pool.
type Outcome uint8

const (
	OK           Outcome = iota // an answer, of whatever status below 500
	ConnectError                // no connection: refused, unreachable, no handshake
	Timeout                     // no answer in time
	Broken                      // connection reset or closed in the middle, nonsense
	ServerError                 // an answer of status 5xx
	Canceled                    // the caller lost interest: says nothing of the endpoint
	outcomes                    // number of the above
)

var outcomeNames = [outcomes]string{"ok", "connect_error", "timeout", "broken", "server_error", "canceled"}

func (o Outcome) String() string { return outcomeNames[o] }

// Failed tells whether the outcome counts against the endpoint.
func (o Outcome) Failed() bool { return o != OK && o != Canceled }

// OfStatus is the outcome of an answer with an HTTP status. A 501 is about the
// request, all other 5xx about the server.
func OfStatus(status int) Outcome {
	if status >= 500 && status != 501 {
		return ServerError
	}
	return OK
}

// OfError is the outcome of a call that returned err instead of an answer.
func OfError(err error) Outcome {
	if err == nil {
		return OK
	}
	if errors.Is(err, context.Canceled) {
		return Canceled
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return ConnectError
	}
	var slow interface{ Timeout() bool }
	if errors.As(err, &slow) && slow.Timeout() {
		return Timeout
	}
	return Broken
}
