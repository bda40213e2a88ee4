package redisshard

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/lookups"
	"github.com/flotilla-dev/flotilla/internal/process"
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
	cfg, err := process.Parse[lookups.Config](lookups.Program, map[string]string{
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "DRAIN_DELAY": "0s", "LOG_LEVEL": "error", "CHECK_INTERVAL": "0s",
		"LOOKUPS_REDIS_ADDR": redisAddr, "LOOKUPS_REDIS_TIMEOUT": "10s", "LOOKUPS_DICTIONARY": dictionary,
	})
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	cfg.OnListen = func(data, _ net.Addr) { ready <- "http://" + data.String() }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- lookups.Run(ctx, cfg) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return <-ready
}
