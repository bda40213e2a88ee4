package redisshard

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/lookups"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"
)

// The same application, with the same parameters: before one shard, as in
// development, and before three, as in production.
func TestTheApplicationDoesNotKnowHowManyShardsThereAre(t *testing.T) {
	dictionary := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"key": %q}`, strings.TrimPrefix(r.URL.Path, "/v1/words/"))
	}))
	t.Cleanup(dictionary.Close)
	for _, n := range []int{1, 3} {
		servers, addrs := embedded(t, n)
		a := start(t, map[string]string{"REDISSHARD_SERVERS": addrs, "REDISSHARD_HASH": "murmur"})
		url := startLookups(t, a.addr, dictionary.Listener.Addr().String())
		for _, want := range []string{"miss", "hit"} {
			for i := range 60 {
				if body := get(t, fmt.Sprintf("%s/v1/lookups/word-%d", url, i)); !strings.Contains(body, `"cache":"`+want+`"`) || !strings.Contains(body, fmt.Sprintf(`"key":"word-%d"`, i)) {
					t.Fatalf("%d shards, want a %s: %s", n, want, body)
				}
			}
		}
		for i, s := range servers {
			if len(s.Keys()) == 0 {
				t.Errorf("shard %d of %d has nothing", i, n)
			}
		}
	}
}

func startLookups(t *testing.T, redisAddr, dictionary string) (url string) {
	t.Helper()
	cfg := processtest.Parse[lookups.Config](t, lookups.Program, map[string]string{
		"CHECK_INTERVAL": "0s", "LOOKUPS_REDIS_ADDR": redisAddr, "LOOKUPS_REDIS_TIMEOUT": "10s", "LOOKUPS_DICTIONARY": dictionary,
	})
	running := processtest.Start(t, &cfg.Contract, func(ctx context.Context) error { return lookups.Run(ctx, cfg) })
	return "http://" + running.Data
}
