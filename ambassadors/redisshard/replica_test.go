package redisshard

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/process/processtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestReadsGoToAReplicaUntilItFails(t *testing.T) {
	primary, second := echo(t, "s0"), echo(t, "s1")
	var silent atomic.Bool
	replica := newFake(t, func(conn net.Conn, _ []string) {
		if !silent.Load() {
			_, _ = conn.Write([]byte("$2\r\nr0\r\n"))
		}
	})
	a := start(t, map[string]string{
		"REDISSHARD_HASH": "murmur", "REDISSHARD_SERVERS": primary.addr + ":1 s0," + second.addr + ":1 s1", "REDISSHARD_REPLICAS": "s0=" + replica.addr,
		"REDISSHARD_TIMEOUT": "200ms", "REDISSHARD_RETRY_TIMEOUT": "1m", "REDISSHARD_FAILURE_LIMIT": "1",
	})
	c := dial(t, a.addr)
	on := func(name string) string {
		for _, k := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
			if strings.Contains(get(t, a.admin+"/shards?key="+k), name) {
				return k
			}
		}
		t.Fatal("no key of " + name)
		return ""
	}
	k0, k1 := on("s0"), on("s1")
	c.send(t, "GET "+k0, "APPEND "+k0+" x", "GET "+k1, "APPEND "+k1+" x")
	c.expect(t, "$2\r\nr0\r\n$2\r\ns0\r\n$2\r\ns1\r\n$2\r\ns1\r\n")
	silent.Store(true)
	c.send(t, "GET "+k0)
	c.expect(t, "-ERR shard s0 did not answer within 200ms\r\n")
	c.send(t, "GET "+k0, "APPEND "+k0+" x")
	c.expect(t, "$2\r\ns0\r\n$2\r\ns0\r\n") // the shard itself is not ejected
}

// A replica that failed is asked again after what the file says now.
func TestAChangedRetryTimeoutIsTakenOver(t *testing.T) {
	primary := echo(t, "s0")
	var silent atomic.Bool
	replica := newFake(t, func(conn net.Conn, _ []string) {
		if !silent.Load() {
			_, _ = conn.Write([]byte("$2\r\nr0\r\n"))
		}
	})
	text := strings.Replace(file(primary.addr+":1 s0"), "timeout: 2000", "timeout: 500\n  server_retry_timeout: 3600000", 1)
	path := writeFile(t, "nutcracker.yaml", text)
	a := start(t, map[string]string{"REDISSHARD_CONFIG_FILE": path, "REDISSHARD_REPLICAS": "s0=" + replica.addr})
	c := dial(t, a.addr)
	ask := func() string {
		c.send(t, "GET k")
		if line := c.line(t); line[0] == '-' {
			return line
		}
		return c.line(t)
	}
	fail := func() {
		t.Helper()
		silent.Store(true)
		if got := ask(); got != "-ERR shard s0 did not answer within 500ms" {
			t.Fatalf("a silent replica: %q", got)
		}
		silent.Store(false)
	}
	fail()
	if got := ask(); got != "s0" {
		t.Fatalf("%q instead of a replica that failed", got)
	}
	writeFile(t, path, strings.Replace(text, "3600000", "50", 1))
	await.That(t, "the change is taken over", func() bool { return a.metric(t, `redisshard_reloads_total{outcome="taken"}`) == "1" })
	await.That(t, "the replica is asked", func() bool { return ask() == "r0" })
	fail()
	await.That(t, "the replica is asked again", func() bool { return ask() == "r0" })
}

func TestReplicasOfNobodyAreNamed(t *testing.T) {
	many := make([]string, 16)
	for i := range many {
		many[i] = fmt.Sprintf("s0=b:%d", i+1)
	}
	for value, want := range map[string]string{
		"s0=nowhere": "want name=host:port", "nobody=a:1": `no shard is called "nobody"`, "s0=b:1,s0=c:1,s0=b:1": `"s0=b:1" is there twice`,
		"s0=b:1,s0=a:1": "s0=a:1 is the shard itself", strings.Join(many, ","): "s0 has too many replicas, at most 15",
	} {
		cfg := processtest.Parse[Config](t, Program, map[string]string{"REDISSHARD_SERVERS": "a:1:1 s0", "REDISSHARD_REPLICAS": value})
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := Run(ctx, cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", value, err)
		}
	}
}
