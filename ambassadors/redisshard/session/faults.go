package session

import (
	"context"
	"fmt"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/command"
)

// misbehave does to a command what a rule of /faults says, where the method is
// the command in capitals and the path is "/" and the name of the pool. It
// returns true when that was the end of the command. Only this client waits.
func (s *session) misbehave(ctx context.Context, spec *command.Spec) bool {
	d := s.o.Faults.Decide(spec.Name, s.path, nil)
	if d.None() {
		return false
	}
	s.replies.Flush() // of the commands before
	switch err := d.Apply(ctx); {
	case err != nil:
		s.replies.abort()
		s.quit = true
	case d.Status != 0:
		s.fail(fmt.Sprintf("ERR fault injected: status %d", d.Status))
	default:
		return false
	}
	return true
}
