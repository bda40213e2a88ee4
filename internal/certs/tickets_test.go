package certs

import (
	"slices"
	"testing"
	"time"
)

// keysAt tells which keys a process with that secret and clock would use.
func keysAt(t *testing.T, at time.Time) (writes [32]byte, reads [][32]byte) {
	t.Helper()
	tickets := &Tickets{secret: []byte("0123456789abcdef0123456789abcdef"), now: func() time.Time { return at }}
	keys, err := tickets.keys()
	if err != nil {
		t.Fatal(err)
	}
	return keys[0], keys
}

func TestTicketKeysRotateAndOldTicketsStillOpen(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0).Add(1000 * TicketPeriod)
	first, _ := keysAt(t, start)
	for periods, want := range map[int]bool{-2: false, -1: true, 0: true, 1: true, 2: true, 3: false} {
		writes, reads := keysAt(t, start.Add(time.Duration(periods)*TicketPeriod))
		if got := slices.Contains(reads, first); got != want {
			t.Errorf("%d periods later the first ticket opens: %v, want %v", periods, got, want)
		}
		if periods != 0 && writes == first {
			t.Errorf("%d periods later the key of new tickets is the same", periods)
		}
	}
	if last, _ := keysAt(t, start.Add(TicketPeriod-time.Second)); last != first {
		t.Error("the key changed within one period")
	}
}
