package memcacheshard

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/memtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// What a server was asked for a client that is cut off meanwhile, it may have
// done: its replicas must come to agree all the same.
func TestReplicasAgreeAboutAClientThatIsCutOff(t *testing.T) {
	t.Parallel()
	const set = "set k 0 0 3\r\nnew\r\n"
	for _, one := range []struct {
		name, command string
		hung          int                   // the replica that answers nothing before the cut
		asked         int                   // times, with those before
		after         func(*memtest.Server) // what becomes of it
		told          int                   // the replica that is to see
		line          string                // this,
		times         int                   // so often
	}{
		{"the first has done it", set, 0, 2, (*memtest.Server).Resume, 1, "set k ", 2},
		{"another one has failed", set, 1, 2, lose, 1, "delete k", 1},
		{"one was not emptied", "flush_all\r\n", 0, 1, lose, 0, "flush_all", 2},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			r, c, servers := replicated(t, 2, map[string]string{
				"MEMCACHESHARD_TIMEOUT": "20s", "MEMCACHESHARD_MAX_ITEM": "64KiB", "MEMCACHESHARD_MAX_ANSWER": "512KiB", "MEMCACHESHARD_MEMORY": "512KiB",
			})
			c.expect("set k 0 0 3\r\nold\r\n", "STORED\r\n")
			hung, other := servers[one.hung], servers[1-one.hung]
			large := readFrom(t, c, other)
			other.Put(large, strings.Repeat("x", 100_000))
			hung.Hang()
			client := dial(t, r.data)
			client.send(one.command + "get " + large + "\r\n")
			hung.Await(one.command[:len("set k")], one.asked)
			other.Await("get "+large, 2)
			other.Put(large, strings.Repeat("x", 520_000))
			// Both wait for the first command, and are more than MEMCACHESHARD_MEMORY.
			client.send(fmt.Sprintf("set filler 0 0 8000\r\n%s\r\nget %s\r\n", strings.Repeat("x", 8000), large))
			await.That(t, "the client is cut off", func() bool {
				return strings.Contains(get(t, "http://"+r.admin+"/metrics"), `memcacheshard_clients_cut_total{reason="memory"} 1`)
			})
			await.That(t, "no answer is held for the client", func() bool { return memory(t, r) < 64<<10 })
			one.after(hung)
			servers[one.told].Await(one.line, one.times)
			await.That(t, "all replicas are read", setAside(t, r, 0))
			if first, second := servers[0].Value("k"), servers[1].Value("k"); first != second && second != "" {
				t.Errorf("the replicas hold %q and %q", first, second)
			}
			await.That(t, "nothing is held for the client", func() bool { return memory(t, r) == 0 })
		})
	}
}

// memory is how many bytes are held for clients.
func memory(t *testing.T, r *running) (n int) {
	t.Helper()
	_, text, _ := strings.Cut(get(t, "http://"+r.admin+"/metrics"), "\nmemcacheshard_memory_bytes ")
	if _, err := fmt.Sscanf(text, "%d\n", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// lose lets a server that hangs go on without what it was asked.
func lose(s *memtest.Server) {
	s.Break()
	s.Resume()
}

// readFrom finds a key that is read from a server.
func readFrom(t *testing.T, c *client, s *memtest.Server) string {
	t.Helper()
	for i := range 100 {
		key := fmt.Sprintf("of-%d-", i)
		if c.expect("get "+key+"\r\n", "END\r\n"); s.Seen("get "+key) > 0 {
			return key
		}
	}
	t.Fatal("the server is asked for no key")
	return ""
}
