package resp

import "errors"

// An error of a peer that does not speak the protocol, or asks for too much. The
// connection cannot be used any more, because nobody knows where the next
// message begins.
var (
	ErrProtocol = errors.New("protocol error")
	ErrTooLarge = errors.New("message too large")
)

// Flaw is an ErrProtocol or ErrTooLarge with what is to be said about it to the
// peer, in Redis's words.
type Flaw struct {
	Text string
	is   error
}

func (f *Flaw) Error() string { return f.Text }

// Is makes errors.Is find ErrProtocol or ErrTooLarge.
func (f *Flaw) Is(target error) bool { return f.is == target }

func malformed(text string) error { return &Flaw{"Protocol error: " + text, ErrProtocol} }

var errTooLarge error = &Flaw{"Protocol error: message too large", ErrTooLarge}
