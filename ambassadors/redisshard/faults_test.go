package redisshard

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// hold is a server that keeps its replies to GET until it is let go.
func hold(t *testing.T) (*fake, func()) {
	t.Helper()
	held := make(chan struct{})
	f := newFake(t, func(conn net.Conn, words []string) {
		select {
		case <-held:
		case <-time.After(20 * time.Second):
		}
		_, _ = io.WriteString(conn, "$4\r\nlate\r\n")
	})
	release := sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	return f, release
}

// mixed starts an ambassador over a fake s0 and embedded servers s1 and s2.
func mixed(t *testing.T, f *fake, env map[string]string) (*ambassador, []*miniredis.Miniredis) {
	t.Helper()
	servers, _ := embedded(t, 2)
	all := map[string]string{"REDISSHARD_HASH": "murmur", "REDISSHARD_SERVERS": named(f.addr, servers[0].Addr(), servers[1].Addr())}
	for name, value := range env {
		all[name] = value
	}
	return start(t, all), servers
}

func TestAHungShardFailsItsOwnRequestsOnlyAndRepliesStayInOrder(t *testing.T) {
	f := newFake(t, func(net.Conn, []string) {}) // reads, and never answers
	a, _ := mixed(t, f, map[string]string{"REDISSHARD_TIMEOUT": "300ms", "REDISSHARD_AUTO_EJECT": "off"})
	other := dial(t, a.addr)
	c := dial(t, a.addr)
	k0, k1, k2 := keyOf(t, 0, 0), keyOf(t, 1, 0), keyOf(t, 2, 0)
	began := time.Now()
	c.send(t, "SET "+k1+" a", "GET "+k0, "SET "+k2+" b", "MGET "+k1+" "+k0, "GET "+k1)
	for i := range 100 { // others go on meanwhile
		other.send(t, fmt.Sprintf("SET %s %d", k2, i), "GET "+k2)
		other.expect(t, fmt.Sprintf("+OK\r\n$%d\r\n%d\r\n", len(fmt.Sprint(i)), i))
	}
	if took := time.Since(began); took > 250*time.Millisecond {
		t.Logf("the machine is slow: others took %v", took)
	}
	c.expect(t, "+OK\r\n-ERR shard s0 did not answer within 300ms\r\n+OK\r\n-ERR shard s0 did not answer within 300ms\r\n$1\r\na\r\n")
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	if n := a.metric(t, `redisshard_shard_failures_total{pool="redis",reason="timeout",shard="s0"}`); n != "1" {
		t.Errorf("%s time-outs are counted, want 1: the connection is lost once", n)
	}
}

func TestASlowShardDelaysOnlyWhoAsksIt(t *testing.T) {
	f, release := hold(t)
	a, _ := mixed(t, f, map[string]string{"REDISSHARD_TIMEOUT": "20s"})
	c, other := dial(t, a.addr), dial(t, a.addr)
	k0, k1 := keyOf(t, 0, 0), keyOf(t, 1, 0)
	c.send(t, "GET "+k0, "SET "+k1+" x")
	other.send(t, "SET "+k1+" y", "GET "+k1)
	other.expect(t, "+OK\r\n$1\r\ny\r\n")
	await.That(t, "the request is in flight", func() bool { return a.metric(t, `redisshard_shard_in_flight{pool="redis",shard="s0"}`) == "1" })
	release()
	c.expect(t, "$4\r\nlate\r\n+OK\r\n")
}

func TestAKilledShardIsEjectedAndItsKeysBelongToTheOthersUntilItIsBack(t *testing.T) {
	servers, _ := embedded(t, 3)
	a := start(t, map[string]string{
		"REDISSHARD_HASH": "murmur", "REDISSHARD_SERVERS": named(servers[0].Addr(), servers[1].Addr(), servers[2].Addr()),
		"REDISSHARD_FAILURE_LIMIT": "1", "REDISSHARD_RETRY_TIMEOUT": "500ms",
	})
	c := dial(t, a.addr)
	key := keyOf(t, 0, 0)
	c.send(t, "SET "+key+" before")
	c.expect(t, "+OK\r\n")
	addr := servers[0].Addr()
	servers[0].Close()
	await.That(t, "the connection is gone", func() bool { return a.metric(t, `redisshard_shard_connections{pool="redis",shard="s0"}`) == "0" })
	c.send(t, "GET "+key)
	c.expect(t, "-ERR shard s0 cannot be reached\r\n")
	c.send(t, "GET "+key, "SET "+key+" meanwhile")
	c.expect(t, "$-1\r\n+OK\r\n")
	if at := get(t, a.admin+"/shards?key="+key); strings.Contains(at, "s0") {
		t.Errorf("the key is at %s", at)
	}
	if !strings.Contains(get(t, a.admin+"/shards"), "ejected_until") {
		t.Error("/shards does not tell who is ejected")
	}
	back := miniredis.NewMiniRedis()
	if err := back.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	await.That(t, "it is back", func() bool { return strings.Contains(get(t, a.admin+"/shards?key="+key), "s0") })
	c.send(t, "GET "+key, "SET "+key+" after", "GET "+key)
	c.expect(t, "$-1\r\n+OK\r\n$5\r\nafter\r\n")
}

func TestAllShardsGoneIsAClearErrorAndPasses(t *testing.T) {
	servers, _ := embedded(t, 1)
	a := start(t, map[string]string{"REDISSHARD_SERVERS": servers[0].Addr(), "REDISSHARD_FAILURE_LIMIT": "1", "REDISSHARD_RETRY_TIMEOUT": "200ms"})
	c := dial(t, a.addr)
	addr := servers[0].Addr()
	servers[0].Close()
	c.send(t, "GET k")
	c.line(t)
	c.send(t, "GET k", "MGET a b", "SCRIPT LOAD x", "TIME", "MULTI", "SET k v", "EXEC")
	for range 4 {
		if got := c.line(t); !strings.HasPrefix(got, "-ERR all shards have failed and are left out for a while") {
			t.Errorf("%q", got)
		}
	}
	c.expect(t, "+OK\r\n")
	c.line(t)
	if got := c.line(t); !strings.HasPrefix(got, "-EXECABORT Transaction discarded because of: ERR all shards") {
		t.Errorf("%q", got)
	}
	back := miniredis.NewMiniRedis()
	if err := back.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	await.That(t, "it is back", func() bool {
		c.send(t, "SET k v")
		return c.line(t) == "+OK"
	})
}

// A server that is half open: the kernel accepts for it, and nobody is there.
func TestAHalfOpenShardIsGivenUpInTime(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // its queue takes connections, and nobody does
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	servers, _ := embedded(t, 2)
	a := start(t, map[string]string{
		"REDISSHARD_HASH": "murmur", "REDISSHARD_SERVERS": named(ln.Addr().String(), servers[0].Addr(), servers[1].Addr()),
		"REDISSHARD_TIMEOUT": "200ms", "REDISSHARD_FAILURE_LIMIT": "1", "REDISSHARD_RETRY_TIMEOUT": "1m",
	})
	c := dial(t, a.addr)
	k0, k1 := keyOf(t, 0, 0), keyOf(t, 1, 0)
	c.send(t, "GET "+k0, "SET "+k1+" x")
	if got := c.line(t); !strings.HasPrefix(got, "-ERR shard s0 ") {
		t.Errorf("%q", got)
	}
	c.expect(t, "+OK\r\n")
	c.send(t, "SET "+k0+" y", "GET "+k0)
	c.expect(t, "+OK\r\n$1\r\ny\r\n")
}

func TestAShardThatTalksNonsenseIsCutOff(t *testing.T) {
	f := newFake(t, func(conn net.Conn, words []string) {
		switch words[0] {
		case "GET":
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		case "TTL":
			_, _ = io.WriteString(conn, ":1\r\n:2\r\n:3\r\n") // more than it was asked
		default:
			conn.Close()
		}
	})
	a, _ := mixed(t, f, map[string]string{"REDISSHARD_AUTO_EJECT": "off"})
	c := dial(t, a.addr)
	key := keyOf(t, 0, 0)
	for _, line := range []string{"GET " + key, "INCR " + key} {
		c.send(t, line)
		c.expect(t, "-ERR shard s0 closed the connection before it answered\r\n")
	}
	c.send(t, "TTL "+key)
	c.line(t) // :1, or the error when all three came at once
	c.send(t, "PING")
	c.expect(t, "+PONG\r\n")
}

// One that loads its data, say, answers every command with an error, and is of no
// use.
func TestAShardThatIsOfNoUseIsEjected(t *testing.T) {
	for _, text := range []string{
		"-LOADING Redis is loading the dataset in memory\r\n",
		"-BUSY Redis is busy running a script.\r\n",
		"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
	} {
		f := newFake(t, func(conn net.Conn, _ []string) { _, _ = io.WriteString(conn, text) })
		a, _ := mixed(t, f, map[string]string{"REDISSHARD_FAILURE_LIMIT": "2", "REDISSHARD_RETRY_TIMEOUT": "1m"})
		c := dial(t, a.addr)
		key := keyOf(t, 0, 0)
		for range 2 {
			c.send(t, "GET "+key)
			c.expect(t, text)
		}
		c.send(t, "GET "+key)
		c.expect(t, "$-1\r\n")
	}
}

func TestAnErrorOfARequestEjectsNobody(t *testing.T) {
	f := newFake(t, func(conn net.Conn, _ []string) { _, _ = io.WriteString(conn, "-WRONGTYPE Operation\r\n") })
	a, _ := mixed(t, f, map[string]string{"REDISSHARD_FAILURE_LIMIT": "1"})
	c := dial(t, a.addr)
	for range 10 {
		c.send(t, "GET "+keyOf(t, 0, 0))
		c.expect(t, "-WRONGTYPE Operation\r\n")
	}
}

func TestAConnectionThatTheServerClosesWhenIdleIsNoFailure(t *testing.T) {
	f := newFake(t, func(conn net.Conn, words []string) {
		_, _ = io.WriteString(conn, ":1\r\n")
		if words[0] == "DEL" {
			conn.Close()
		}
	})
	a, _ := mixed(t, f, map[string]string{"REDISSHARD_FAILURE_LIMIT": "1"})
	c := dial(t, a.addr)
	key := keyOf(t, 0, 0)
	for range 3 {
		c.send(t, "DEL "+key)
		c.expect(t, ":1\r\n")
		await.That(t, "the connection is gone", func() bool { return a.metric(t, `redisshard_shard_connections{pool="redis",shard="s0"}`) == "0" })
	}
	if n := a.metric(t, `redisshard_shard_failures_total{pool="redis",reason="closed",shard="s0"}`); n != "0" {
		t.Errorf("%s failures are counted", n)
	}
}

func TestPartsThatFailMakeTheWholeFail(t *testing.T) {
	f := newFake(t, func(conn net.Conn, _ []string) { _, _ = io.WriteString(conn, "-OOM command not allowed\r\n") })
	a, servers := mixed(t, f, nil)
	c := dial(t, a.addr)
	k0, k1 := keyOf(t, 0, 0), keyOf(t, 1, 0)
	c.send(t, "MSET "+k0+" a "+k1+" b", "MGET "+k0+" "+k1, "DEL "+k1+" "+k0, "PING")
	c.expect(t, strings.Repeat("-OOM command not allowed\r\n", 3)+"+PONG\r\n")
	if servers[0].Exists(k1) {
		t.Error("DEL did not reach the shard that works")
	}
}

func TestATransactionTellsWhyTheServerDiscardedIt(t *testing.T) {
	a, _ := three(t, nil)
	c := dial(t, a.addr)
	c.send(t, "MULTI", "SET k", "EXEC", "MULTI", "GET", "EXEC")
	c.expect(t, "+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: ERR wrong number of arguments for 'set' command\r\n")
	c.expect(t, "+OK\r\n-ERR wrong number of arguments for 'get' command\r\n-EXECABORT Transaction discarded because of: ERR wrong number of arguments for 'get' command\r\n")
	c.send(t, "MULTI", "EXEC", "MULTI", "MULTI", "SET k 1", "DISCARD", "GET k", "MULTI", "PING", "EXEC")
	c.expect(t, "+OK\r\n*0\r\n+OK\r\n-ERR MULTI calls can not be nested\r\n+QUEUED\r\n+OK\r\n$-1\r\n+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n")
	c.send(t, "WATCH k", "MULTI", "UNWATCH", "SET k 2", "WATCH k", "EXEC")
	c.expect(t, "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n-ERR WATCH inside MULTI is not allowed\r\n*2\r\n+OK\r\n+OK\r\n")
}

func TestFaultsAreInjectedByCommandAndPool(t *testing.T) {
	a, _ := three(t, map[string]string{"FAULTS": "on"})
	set := func(rules string) {
		t.Helper()
		request := must2(http.NewRequest(http.MethodPut, a.admin+"/faults", strings.NewReader(rules)))(t)
		answer := must2(http.DefaultClient.Do(request))(t)
		answer.Body.Close()
		if answer.StatusCode >= 300 {
			t.Fatalf("status %d", answer.StatusCode)
		}
	}
	c := dial(t, a.addr)
	set(`[{"path": "/redis", "method": "GET", "fault": "status", "status": 503}, {"path": "/other", "fault": "abort"}, {"method": "TTL", "fault": "latency", "delay": "50ms"}]`)
	began := time.Now()
	c.send(t, "SET k v", "GET k", "TTL k", "STRLEN k")
	c.expect(t, "+OK\r\n-ERR fault injected: status 503\r\n:-1\r\n:1\r\n")
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	set(`[{"method": "GET", "fault": "abort"}]`)
	c.send(t, "GET k")
	c.end(t)
	set(`[]`)
	c = dial(t, a.addr)
	c.send(t, "GET k")
	c.expect(t, "$1\r\nv\r\n")
}
