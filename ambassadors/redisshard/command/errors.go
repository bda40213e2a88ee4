package command

import (
	"fmt"
	"strings"
)

// Error is what a client is told, without the dash.
type Error string

func (e Error) Error() string { return string(e) }

func (s *Spec) arity() error { return Arity(s.Name) }

// Arity is the error of a command with too few or too many arguments.
func Arity(name string) error {
	return Error(fmt.Sprintf("ERR wrong number of arguments for '%s' command", strings.ToLower(name)))
}

const (
	errSyntax   = Error("ERR syntax error")
	errNumkeys  = Error("ERR value is not an integer or out of range")
	errNoKeys   = Error("ERR this command needs a key here: it says which shard runs it")
	errBlocking = Error("ERR BLOCK is not supported: it would block a connection that others share")
	errStreams  = Error("ERR Unbalanced list of streams: for each stream key an ID or '$' must be specified.")
	errPatterns = Error("ERR BY and GET of other keys are not supported: they may be on other shards")
)
