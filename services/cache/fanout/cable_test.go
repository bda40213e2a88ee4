package fanout

import (
	"cmp"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/cable"
)

// lay returns a cable to Redis, and how to reach Redis through it.
func lay(t *testing.T, to *redis.Options) (*cable.Cable, *redis.Options) {
	t.Helper()
	c, err := cable.Lay(cmp.Or(to.Network, "tcp"), to.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, &redis.Options{Addr: c.Addr()}
}
