package front

import (
	"context"
	"strings"
	"time"
)

// Shared tells whether other processes may accept from the socket of a LISTEN_ADDR, too:
// it was inherited.
func Shared(addr string) bool { return strings.HasPrefix(addr, "fd:") }

// holdOff bounds how long a gateway lets others accept from a socket that they share. If
// there is nobody else, an answer of 503 says more than silence.
const holdOff = 5 * time.Second

// HoldOff waits, where the socket of addr is shared, until found is closed because the
// gateway has whom to ask: who has just been started would tell clients 503 that others
// could serve.
func HoldOff(ctx context.Context, addr string, found <-chan struct{}) {
	if !Shared(addr) {
		return
	}
	timer := time.NewTimer(holdOff)
	defer timer.Stop()
	select {
	case <-found:
	case <-timer.C:
	case <-ctx.Done():
	}
}
