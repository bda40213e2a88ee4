package redisshard

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// file is a nutcracker.yaml with one Redis pool.
func file(servers ...string) string {
	return "redis:\n  listen: 127.0.0.1:26379\n  hash: murmur\n  redis: true\n  timeout: 2000\n  servers:\n   - " + strings.Join(servers, "\n   - ") + "\n"
}

// echo is a server that answers with its name.
func echo(t *testing.T, name string) *fake {
	t.Helper()
	return newFake(t, func(conn net.Conn, _ []string) { _, _ = conn.Write(resp.AppendBulk(nil, name)) })
}

func TestAChangedFileIsTakenOverAndConnectionsStay(t *testing.T) {
	s0, s1, s2 := echo(t, "s0"), echo(t, "s1"), echo(t, "s2")
	path := writeFile(t, "nutcracker.yaml", file(s0.addr+":1 s0", s1.addr+":1 s1"))
	a := start(t, map[string]string{"REDISSHARD_CONFIG_FILE": path})
	c := dial(t, a.addr)
	ask := func() map[string]int {
		n := map[string]int{}
		for i := range 100 {
			c.send(t, fmt.Sprint("GET k", i))
			c.expect(t, "$2\r\n")
			n[c.line(t)]++
		}
		return n
	}
	if n := ask(); len(n) != 2 || n["s0"] == 0 || n["s1"] == 0 {
		t.Fatalf("%v", n)
	}
	writeFile(t, path, file(s0.addr+":1 s0", s2.addr+":1 s2"))
	await.That(t, "the change is taken over", func() bool { return a.metric(t, `redisshard_reloads_total{outcome="taken"}`) == "1" })
	if n := ask(); len(n) != 2 || n["s0"] == 0 || n["s2"] == 0 {
		t.Errorf("after the change: %v", n)
	}
	if s0.count() != 1 {
		t.Errorf("%d connections were opened to the server that stayed", s0.count())
	}
	await.That(t, "the connection to the other one is closed", func() bool {
		return a.metric(t, `redisshard_shard_connections{pool="redis",shard="s1"}`) == "0"
	})
	if n := a.metric(t, `redisshard_clients_total{pool="redis"}`); n != "1" {
		t.Errorf("%s clients connected: the client was cut off", n)
	}
}

func TestAFileThatIsWrongLeavesTheOldOneInUse(t *testing.T) {
	s0 := echo(t, "s0")
	path := writeFile(t, "nutcracker.yaml", file(s0.addr+":1 s0"))
	a := start(t, map[string]string{"REDISSHARD_CONFIG_FILE": path})
	c := dial(t, a.addr)
	for i, text := range []string{
		"redis: [broken", file("nobody"), strings.Replace(file(s0.addr+":1"), "26379", "26380", 1), file(s0.addr+":1") + strings.Replace(file(s0.addr+":1"), "redis:\n  listen: 127.0.0.1:26379", "more:\n  listen: 127.0.0.1:26381", 1),
	} {
		writeFile(t, path, text)
		await.That(t, "the file is refused", func() bool { return a.metric(t, `redisshard_reloads_total{outcome="refused"}`) == fmt.Sprint(i+1) })
		c.send(t, "GET k")
		c.expect(t, "$2\r\ns0\r\n")
	}
}

// What is refused at the start is refused of a changed file, too.
func TestAFileThatDoesNotFitTheReplicasIsRefused(t *testing.T) {
	s0, s1, replica := echo(t, "s0"), echo(t, "s1"), echo(t, "r0")
	path := writeFile(t, "nutcracker.yaml", file(s0.addr+":1 s0"))
	a := start(t, map[string]string{"REDISSHARD_CONFIG_FILE": path, "REDISSHARD_REPLICAS": "s0=" + replica.addr})
	c := dial(t, a.addr)
	for i, servers := range []string{s1.addr + ":1 s1", replica.addr + ":1 s0"} {
		writeFile(t, path, file(servers))
		await.That(t, "the file is refused", func() bool { return a.metric(t, `redisshard_reloads_total{outcome="refused"}`) == fmt.Sprint(i+1) })
		c.send(t, "GET k", "APPEND k x")
		c.expect(t, "$2\r\nr0\r\n$2\r\ns0\r\n")
	}
}

// Requests in flight to a server that leaves are answered.
func TestAServerThatLeavesFinishesItsRequests(t *testing.T) {
	slow, release := hold(t)
	s1 := echo(t, "s1")
	path := writeFile(t, "nutcracker.yaml", strings.Replace(file(slow.addr+":1 s0"), "timeout: 2000", "timeout: 20000", 1))
	a := start(t, map[string]string{"REDISSHARD_CONFIG_FILE": path})
	c := dial(t, a.addr)
	c.send(t, "GET k")
	await.That(t, "the request is in flight", func() bool { return a.metric(t, `redisshard_shard_in_flight{pool="redis",shard="s0"}`) == "1" })
	writeFile(t, path, file(s1.addr+":1 s1"))
	await.That(t, "the change is taken over", func() bool { return a.metric(t, `redisshard_reloads_total{outcome="taken"}`) == "1" })
	c.send(t, "GET k")
	release()
	c.expect(t, "$4\r\nlate\r\n$2\r\ns1\r\n")
}

func TestEveryRedisPoolOfAFileHasItsListener(t *testing.T) {
	s0, s1 := echo(t, "s0"), echo(t, "s1")
	second := nettest.Refuse(t)
	path := writeFile(t, "nutcracker.yaml", file(s0.addr+":1 s0")+"memcache:\n  listen: 127.0.0.1:1\n  servers:\n   - m:11211:1\n"+
		"second:\n  listen: "+second+"\n  redis: true\n  redis_auth: sesame\n  client_connections: 1\n  servers:\n   - "+s1.addr+":1\n")
	a := start(t, map[string]string{"REDISSHARD_CONFIG_FILE": path})
	c := dial(t, a.addr)
	c.send(t, "GET k")
	c.expect(t, "$2\r\ns0\r\n")
	d := dial(t, a.pools["second"].String())
	d.send(t, "GET k", "AUTH wrong", "AUTH sesame", "GET k")
	d.expect(t, "-NOAUTH Authentication required.\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n+OK\r\n$2\r\ns1\r\n")
	e := dial(t, a.pools["second"].String())
	e.expect(t, "-ERR max number of clients reached\r\n")
}

func TestTheFileSaysWhereToListenUnlessTheEnvironmentDoes(t *testing.T) {
	t.Parallel()
	confs, err := parse([]byte(file("a:1:1")))
	if err != nil {
		t.Fatal(err)
	}
	for listen, want := range map[string]string{":6380": "127.0.0.1:26379", "127.0.0.1:1": "127.0.0.1:1", "fd:3": "fd:3"} {
		cfg := processtest.Parse[Config](t, Program, map[string]string{"REDISSHARD_CONFIG_FILE": "x", "LISTEN_ADDR": listen})
		if got := cfg.listen(confs[0]); got != want {
			t.Errorf("with LISTEN_ADDR=%s: %s, want %s", listen, got, want)
		}
	}
}

func TestAFileThatIsWrongAtTheStartIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		file("x"): "line 7: pool redis: servers", "m:\n  listen: h:1\n  servers: [h:1:1]\n": "no pool has redis: true", "": "the file has no pool",
	} {
		path := writeFile(t, "nutcracker.yaml", text)
		cfg := processtest.Parse[Config](t, Program, map[string]string{"REDISSHARD_CONFIG_FILE": path})
		if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %q, got %v", text, want, err)
		}
	}
	cfg := processtest.Parse[Config](t, Program, map[string]string{"REDISSHARD_CONFIG_FILE": "/nonexistent"})
	if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "REDISSHARD_CONFIG_FILE") {
		t.Errorf("%v", err)
	}
}

func TestASecondAddressThatIsTakenIsAnErrorAtTheStart(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	path := writeFile(t, "nutcracker.yaml", file("127.0.0.1:1:1")+strings.Replace(file("127.0.0.1:1:1"), "redis:\n  listen: 127.0.0.1:26379", "b:\n  listen: "+ln.Addr().String(), 1))
	cfg := processtest.Parse[Config](t, Program, map[string]string{"REDISSHARD_CONFIG_FILE": path})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := Run(ctx, cfg); err == nil || !strings.Contains(err.Error(), "listener of pool b") {
		t.Errorf("%v", err)
	}
}
