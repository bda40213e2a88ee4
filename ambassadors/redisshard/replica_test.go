package redisshard

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/process"
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

func TestReplicasOfNobodyAreNamed(t *testing.T) {
	for value, want := range map[string]string{"s0=nowhere": "want name=host:port", "nobody=a:1": `no shard is called "nobody"`} {
		cfg, err := process.Parse[Config](Program, map[string]string{"REDISSHARD_SERVERS": "a:1:1 s0", "REDISSHARD_REPLICAS": value, "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := Run(ctx, cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", value, err)
		}
	}
}
