package memcacheshard

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/memtest"
	"github.com/flotilla-dev/flotilla/internal/atomicfile"
	"github.com/flotilla-dev/flotilla/internal/process"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// file writes a nutcracker.yaml with a memcached pool over servers that are
// called s0, s1, … and returns its name. An existing one is replaced.
func file(t *testing.T, name string, servers []*memtest.Server, more string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("cache:\n  listen: 127.0.0.1:1\n  hash: md5\n  timeout: 2000\n  server_retry_timeout: 300\n" + more + "  servers:\n")
	for i, s := range servers {
		fmt.Fprintf(&b, "   - %s:1 s%d\n", s.Addr(), i)
	}
	b.WriteString("sessions:\n  listen: 127.0.0.1:2\n  redis: true\n  servers:\n   - 127.0.0.1:3:1\n")
	return write(t, name, b.String())
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if name == "" {
		name = filepath.Join(t.TempDir(), "file")
	}
	if err := atomicfile.Write(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func reloads(t *testing.T, r *running, outcome string, n int) {
	t.Helper()
	await.That(t, fmt.Sprintf("%d files were %s", n, outcome), func() bool {
		return strings.Contains(get(t, "http://"+r.admin+"/metrics"), fmt.Sprintf("memcacheshard_reloads_total{outcome=%q} %d\n", outcome, n))
	})
}

func TestAChangedFileMovesKeysAndKeepsConnections(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 4)
	name := file(t, "", servers[:3], "")
	r := start(t, map[string]string{"MEMCACHESHARD_CONFIG_FILE": name})
	c := dial(t, r.data)
	var keys []string
	for i := range 300 {
		keys = append(keys, fmt.Sprintf("key-%d", i))
		c.expect("set "+keys[i]+" 0 0 1\r\n1\r\n", "STORED\r\n")
	}
	file(t, name, servers, "")
	reloads(t, r, "taken", 1)
	kept := strings.Count(c.ask("get "+strings.Join(keys, " ")+"\r\n"), "VALUE")
	if kept < 180 || kept > 270 {
		t.Errorf("%d of 300 keys are where they were, want about 3/4", kept)
	}
	for i, s := range servers[:3] {
		if n := s.Accepted(); n != 1 {
			t.Errorf("server %d has had %d connections: a change of the file must not cost one", i, n)
		}
	}
	file(t, name, servers[:2], "")
	reloads(t, r, "taken", 2)
	await.That(t, "servers that are gone from the file are left", func() bool {
		return !strings.Contains(get(t, "http://"+r.admin+"/metrics"), `memcacheshard_shard_connections{pool="cache",server="`+servers[3].Addr()+`",shard="s3"} 1`)
	})
}

func TestAChangedNumberOfConnectionsIsTakenOver(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	name := file(t, "", servers, "  preconnect: true\n")
	r := start(t, map[string]string{"MEMCACHESHARD_CONFIG_FILE": name})
	connections := func(n int) func() bool {
		return func() bool {
			return strings.Contains(get(t, "http://"+r.admin+"/metrics"), fmt.Sprintf(`memcacheshard_shard_connections{pool="cache",server=%q,shard="s0"} %d`+"\n", servers[0].Addr(), n))
		}
	}
	await.That(t, "the server is connected", connections(1))
	file(t, name, servers, "  preconnect: true\n  server_connections: 3\n")
	await.That(t, "it is connected more often", connections(3))
}

func TestABrokenFileIsRefusedAndTheOldOneStays(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	name := file(t, "", servers, "")
	r := start(t, map[string]string{"MEMCACHESHARD_CONFIG_FILE": name})
	c := dial(t, r.data)
	for i, text := range []string{"cache: [", "other:\n  listen: 127.0.0.1:1\n  servers:\n   - a:1:1\n", "cache:\n  listen: 127.0.0.1:9\n  servers:\n   - a:1:1\n"} {
		write(t, name, text)
		reloads(t, r, "refused", i+1)
		c.expect("get a\r\n", "END\r\n")
	}
}

func TestReplicasComeAndGoWithTheirFile(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 3)
	name, replicas := file(t, "", servers[:1], ""), write(t, "", "")
	r := start(t, map[string]string{"MEMCACHESHARD_CONFIG_FILE": name, "MEMCACHESHARD_REPLICAS_FILE": replicas})
	c := dial(t, r.data)
	c.expect("set k 0 0 1\r\n1\r\n", "STORED\r\n")
	write(t, replicas, "s0 "+servers[1].Addr())
	reloads(t, r, "taken", 1)
	c.expect("set k 0 0 1\r\n2\r\n", "STORED\r\n")
	if servers[0].Value("k") != "2" || servers[1].Value("k") != "2" {
		t.Errorf("the replicas hold %q and %q", servers[0].Value("k"), servers[1].Value("k"))
	}
	write(t, replicas, "s9 "+servers[1].Addr())
	reloads(t, r, "refused", 1)
	write(t, replicas, "s0 "+servers[2].Addr())
	reloads(t, r, "taken", 2)
	c.expect("set k 0 0 1\r\n3\r\n", "STORED\r\n")
	if servers[1].Value("k") != "2" || servers[2].Value("k") != "3" {
		t.Errorf("the old replica holds %q, the new one %q", servers[1].Value("k"), servers[2].Value("k"))
	}
}

func TestEachMemcachedPoolOfAFileHasItsListener(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 2)
	pool := func(name string, s *memtest.Server) string {
		return fmt.Sprintf("%s:\n  listen: 127.0.0.1:%d\n  client_connections: 1\n  preconnect: true\n  servers:\n   - %s:1 %s\n", name, 20000+len(name), s.Addr(), name)
	}
	r := start(t, map[string]string{"MEMCACHESHARD_CONFIG_FILE": write(t, "", pool("first", servers[0])+pool("second", servers[1]))})
	a, b := dial(t, r.data), dial(t, r.pools["second"].String())
	a.expect("set k 0 0 1\r\n1\r\n", "STORED\r\n")
	b.expect("get k\r\n", "END\r\n")
	if servers[0].Value("k") != "1" || servers[1].Accepted() != 1 {
		t.Error("the pools are mixed up")
	}
	if got := dial(t, r.data).line(); got != "ERROR Too many open connections" {
		t.Errorf("client_connections: 1, and the second client reads %q", got)
	}
}

func TestEveryWrongParameterIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ map[string]string
		want    []string
	}{
		{map[string]string{}, []string{"MEMCACHESHARD_CONFIG_FILE", "set one of them"}},
		{map[string]string{
			"MEMCACHESHARD_SERVERS": "a", "MEMCACHESHARD_TIMEOUT": "1us", "MEMCACHESHARD_WRITE_TIMEOUT": "0s", "MEMCACHESHARD_CONNECTIONS": "0",
			"MEMCACHESHARD_FAILURE_LIMIT": "0", "MEMCACHESHARD_CLIENTS": "0", "MEMCACHESHARD_PIPELINE": "0", "MEMCACHESHARD_IN_FLIGHT": "0",
			"MEMCACHESHARD_MAX_ITEM": "1B", "MEMCACHESHARD_THREADS": "-1", "MEMCACHESHARD_MAX_ANSWER": "1B", "MEMCACHESHARD_MEMORY": "0B", "MEMCACHESHARD_REPLICAS": "a b:1", "MEMCACHESHARD_REPLICAS_FILE": "x",
		}, []string{
			"_SERVERS: server \"a\"", "_TIMEOUT", "_WRITE_TIMEOUT", "_CONNECTIONS", "_FAILURE_LIMIT", "_CLIENTS", "_PIPELINE", "_IN_FLIGHT", "_MAX_ITEM", "_THREADS", "_MAX_ANSWER", "_MEMORY", "_REPLICAS_FILE",
		}},
		{map[string]string{"MEMCACHESHARD_SERVERS": "a:1", "MEMCACHESHARD_REPLICAS": "b c:1"}, []string{"MEMCACHESHARD_REPLICAS: \"b c:1\""}},
		{map[string]string{"MEMCACHESHARD_SERVERS": "a:1", "MEMCACHESHARD_HASH": "sha"}, []string{"MEMCACHESHARD_SERVERS", "sha"}},
		{map[string]string{"MEMCACHESHARD_CONFIG_FILE": "/none"}, []string{"MEMCACHESHARD_CONFIG_FILE"}},
		{map[string]string{"MEMCACHESHARD_CONFIG_FILE": write(t, "", "p:\n  listen: a:1\n  redis: true\n  servers:\n   - a:1:1\n")}, []string{"Redis is not served here"}},
		{map[string]string{"MEMCACHESHARD_SERVERS": "a:1", "MEMCACHESHARD_REPLICAS_FILE": "/none"}, []string{"MEMCACHESHARD_REPLICAS_FILE"}},
	} {
		cfg, err := process.Parse[Config](Program, c.environ)
		if err == nil {
			err = Run(context.Background(), cfg)
		}
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not named in: %v", want, err)
			}
		}
	}
	if _, err := process.Parse[Config](Program, map[string]string{"MEMCACHESHARD_DOWN": "maybe"}); err == nil || !strings.Contains(err.Error(), "want error or miss") {
		t.Errorf("MEMCACHESHARD_DOWN: %v", err)
	}
}

func TestMetricsTellOfEveryShard(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 2)
	r := before(t, servers, nil)
	key := keyOf(t, r, "s1", 0)
	c := dial(t, r.data)
	c.expect("set "+key+" 0 0 1\r\n1\r\nget "+key+"\r\nmg "+key+"\r\nmg none-"+key+"\r\nnonsense\r\n", "STORED\r\nVALUE "+key+" 0 1\r\n1\r\nEND\r\nHD\r\nEN\r\nERROR\r\n")
	servers[1].Say("VALUE x\r\n")
	c.ask("get " + key + "\r\n")
	labels := fmt.Sprintf("pool=\"memcached\",server=%q,shard=\"s1\"", servers[1].Addr())
	await.That(t, "the failure is counted", func() bool {
		return strings.Contains(get(t, "http://"+r.admin+"/metrics"), "memcacheshard_shard_failures_total{pool=\"memcached\",reason=\"protocol\",server=\""+servers[1].Addr()+"\",shard=\"s1\"} 1")
	})
	metrics := get(t, "http://"+r.admin+"/metrics")
	for _, line := range []string{
		`memcacheshard_commands_total{kind="retrieve"} 2`, `memcacheshard_commands_total{kind="store"} 1`, `memcacheshard_commands_total{kind="meta_get"} 2`,
		`memcacheshard_refused_total{reason="client"} 1`, `memcacheshard_clients{pool="memcached"} 1`, "memcacheshard_shard_live{" + labels + "} 1",
		"memcacheshard_shard_keys_total{pool=\"memcached\",result=\"hit\",server=\"" + servers[1].Addr() + "\",shard=\"s1\"} 2",
		"memcacheshard_shard_in_flight{" + labels + "} 0",
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
}
