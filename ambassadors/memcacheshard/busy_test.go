package memcacheshard

import (
	"fmt"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// More may have been missed than can be under way to a server.
func TestAReplicaThatMissedMoreThanIsInFlightComesBack(t *testing.T) {
	t.Parallel()
	r, c, servers := replicated(t, 2, map[string]string{"MEMCACHESHARD_IN_FLIGHT": "8"})
	servers[1].Kill()
	for i := range 31 {
		c.expect(fmt.Sprintf("set missed-%d 0 0 1\r\n1\r\n", i), "STORED\r\n")
	}
	if !setAside(t, r, 1)() {
		t.Fatal("the replica was not set aside")
	}
	servers[1].Restart()
	await.That(t, "the replica is back", setAside(t, r, 0))
	if n := servers[1].Seen("delete missed-"); n < 31 {
		t.Errorf("%d of 31 keys were deleted", n)
	}
}

func TestClientsWaitWhereTooMuchIsInFlight(t *testing.T) {
	t.Parallel()
	r := before(t, fakes(t, 1), map[string]string{"MEMCACHESHARD_IN_FLIGHT": "1"})
	done := make(chan string)
	for range 16 {
		c := dial(t, r.data)
		go func() {
			wrong := ""
			for range 200 {
				if got := c.ask("get a\r\n"); got != "END\r\n" {
					wrong = got
				}
			}
			done <- wrong
		}()
	}
	for range 16 {
		if wrong := <-done; wrong != "" {
			t.Errorf("a client reads %q", wrong)
		}
	}
}
