package redismetrics_test

import (
	"bufio"
	"flag"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"

	"github.com/flotilla-dev/flotilla/internal/await"
)

var update = flag.Bool("update", false, "write testdata/families.txt by the real exporter")

func real(t *testing.T, program string) string {
	t.Helper()
	return realserver.Find(t, program, "the metrics are NOT compared with the real ones here")
}

// process is a real server.
type server struct {
	*testing.T
	addr string
	args []string
	cmd  *exec.Cmd
}

// redisServer starts redis-server with more arguments.
func redisServer(t *testing.T, more ...string) *server {
	t.Helper()
	s := &server{T: t, addr: nettest.Refuse(t)}
	_, port, _ := net.SplitHostPort(s.addr)
	s.args = append([]string{real(t, "redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()}, more...)
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.Helper()
	cmd := exec.Command(s.args[0], s.args[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.cmd = cmd
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() {
				for lines.Scan() { // keep its pipe empty
				}
			}()
			return
		}
	}
	s.Fatal("redis-server ended before it was ready")
}

func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func (s *server) signal(sig syscall.Signal) {
	s.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.Fatal(err)
	}
}

// exporter starts the real exporter and returns its URL.
func exporter(t *testing.T, args ...string) string {
	t.Helper()
	addr := nettest.Refuse(t)
	cmd := exec.Command(real(t, "prometheus-redis-exporter"), append([]string{"-web.listen-address", addr}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	await.That(t, "the exporter listens", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return "http://" + addr
}

func do(t *testing.T, c *redis.Client, commands ...string) {
	t.Helper()
	for _, command := range commands {
		var args []any
		for _, word := range strings.Fields(command) {
			args = append(args, word)
		}
		if err := c.Do(t.Context(), args...).Err(); err != nil && !strings.HasPrefix(command, "wrong") && !strings.HasPrefix(command, "GET list") {
			t.Fatalf("%s: %v", command, err)
		}
	}
}

// loaded is a master with a replica, to which everything has happened that is a
// metric.
func loaded(t *testing.T) (master, replica *server) {
	t.Helper()
	master = redisServer(t, "--appendonly", "yes", "--latency-monitor-threshold", "1", "--slowlog-log-slower-than", "0", "--enable-debug-command", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	host, port, _ := net.SplitHostPort(master.addr)
	replica = redisServer(t, "--replicaof", host+" "+port)
	c := redis.NewClient(&redis.Options{Addr: master.addr, MaxRetries: -1})
	defer c.Close()
	do(t, c, "SET number 7", "SET text dog EX 1000", "RPUSH list a b c", "HSET hash a 1", "SADD set a b", "ZADD zset 1 a", "XADD stream * a 1", "GET list", "wrong command", "DEBUG SLEEP 0.02", "SELECT 3", "SET other 1", "LPUSH q 1")
	await.That(t, "the replica is connected", func() bool {
		return strings.Contains(c.Info(t.Context(), "replication").Val(), "state=online")
	})
	return master, replica
}

func TestRealExporterHasTheSameFamilies(t *testing.T) {
	master, replica := loaded(t)
	cluster := redisServer(t, "--cluster-enabled", "yes")
	c := redis.NewClient(&redis.Options{Addr: cluster.addr})
	defer c.Close()
	do(t, c, "CLUSTER ADDSLOTSRANGE 0 16383")
	await.That(t, "the cluster is up", func() bool { return strings.Contains(c.ClusterInfo(t.Context()).Val(), "cluster_state:ok") })
	do(t, c, "SET a 1")
	for _, run := range []struct {
		name   string
		addr   string
		theirs []string
		ours   map[string]string
		extra  []string
	}{
		{name: "a master", addr: master.addr},
		{name: "a replica", addr: replica.addr},
		{name: "a node of a cluster", addr: cluster.addr},
		{name: "nobody", addr: "127.0.0.1:1"},
		{
			name: "everything that can be asked for", addr: master.addr,
			theirs: []string{"-export-client-list", "-include-system-metrics", "-include-config-metrics", "-check-single-keys", "number,text,list,hash,set,zset,stream,none,db3=other", "-check-keys", "db3=q*", "-count-keys", "db0=*s*"},
			ours: map[string]string{"REDISMETRICS_CLIENT_LIST": "on", "REDISMETRICS_CONFIG_VALUES": "on", "REDISMETRICS_CHECK_SINGLE_KEYS": "number,text,list,hash,set,zset,stream,none,db3=other",
				"REDISMETRICS_CHECK_KEYS": "db3=q*", "REDISMETRICS_COUNT_KEYS": "db0=*s*", "REDISMETRICS_KEY_TEXTS": "on"},
		},
	} {
		t.Run(run.name, func(t *testing.T) {
			theirs := shapes(scrape(t, exporter(t, append([]string{"-redis.addr", "redis://" + run.addr}, run.theirs...)...)+"/metrics"))
			env := map[string]string{"REDISMETRICS_ADDR": run.addr}
			for k, v := range run.ours {
				env[k] = v
			}
			got := shapes(scrape(t, start(t, env)+"/metrics"))
			for _, line := range theirs {
				if !slices.Contains(got, line) {
					t.Errorf("theirs, and not ours: %s", line)
				}
			}
			for _, line := range got {
				if !slices.Contains(theirs, line) && !slices.Contains(ours(), line) {
					t.Errorf("ours, and not theirs: %s", line)
				}
			}
			t.Logf("%d families of theirs, %d of ours", len(theirs), len(got))
			if run.name == "a master" && *update {
				text := "# What redis_exporter 1.45 shows of a Redis 7.0 that has keys with and without\n# expiry, a replica, an append-only file, errors and a latency spike:\n# name, type, labels. TestRealExporterHasTheSameFamilies writes it with -update.\n"
				if err := os.WriteFile(filepath.Join("testdata", "families.txt"), []byte(text+strings.Join(theirs, "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// What does not change between two looks has the same value.
func TestRealExporterHasTheSameValues(t *testing.T) {
	master, _ := loaded(t)
	c := redis.NewClient(&redis.Options{Addr: master.addr})
	defer c.Close()
	do(t, c, "CONFIG SET latency-monitor-threshold 0") // no new spike between the two scrapes
	keys := "number,list,hash,set,zset,stream,none,db3=other"
	theirs := scrape(t, exporter(t, "-redis.addr", "redis://"+master.addr, "-check-single-keys", keys, "-count-keys", "db0=*s*")+"/metrics")
	got := scrape(t, start(t, map[string]string{"REDISMETRICS_ADDR": master.addr, "REDISMETRICS_CHECK_SINGLE_KEYS": keys, "REDISMETRICS_COUNT_KEYS": "db0=*s*"})+"/metrics")
	for _, name := range []string{"redis_key_size", "redis_key_value", "redis_keys_count", "redis_db_keys", "redis_db_keys_expiring", "redis_config_maxmemory", "redis_config_maxclients", "redis_config_io_threads",
		"redis_start_time_seconds", "redis_instance_info", "redis_latency_spike_duration_seconds", "redis_latency_spike_last", "redis_connected_slaves", "redis_rdb_last_bgsave_status", "redis_aof_enabled", "redis_process_id"} {
		for _, m := range theirs[name].GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			v, ok := value(got, name, labels...)
			if w := m.GetGauge().GetValue() + m.GetCounter().GetValue(); !ok || v != w {
				t.Errorf("%s%v is %v (there: %v), theirs %v", name, labels, v, ok, w)
			}
		}
		if len(theirs[name].GetMetric()) == 0 {
			t.Errorf("%s: nothing to compare", name)
		}
	}
}

func TestRealRedisKilledHungAndBack(t *testing.T) {
	s := redisServer(t)
	url := start(t, map[string]string{"REDISMETRICS_ADDR": s.addr, "REDISMETRICS_TIMEOUT": "400ms"})
	want(t, scrape(t, url+"/metrics"), 1, "redis_up")
	s.signal(syscall.SIGSTOP)
	within(t, 2*time.Second, func() {
		families := scrape(t, url+"/metrics")
		want(t, families, 0, "redis_up")
		want(t, families, 1, "redis_exporter_last_scrape_error", "err=timeout")
	})
	s.signal(syscall.SIGCONT)
	await.That(t, "it answers again", func() bool { v, _ := value(scrape(t, url+"/metrics"), "redis_up"); return v == 1 })
	s.kill()
	families := scrape(t, url+"/metrics")
	want(t, families, 0, "redis_up")
	want(t, families, 1, "redis_exporter_last_scrape_error", "err=unreachable")
	s.start()
	want(t, scrape(t, url+"/metrics"), 1, "redis_up")
}

// A key check that takes too long costs its own metrics only.
func TestRealRedisThatIsBusyWhileKeysAreLookedFor(t *testing.T) {
	s := redisServer(t, "--enable-debug-command", "yes")
	c := redis.NewClient(&redis.Options{Addr: s.addr, ReadTimeout: time.Minute})
	defer c.Close()
	do(t, c, "DEBUG POPULATE 2000000 key 8")
	url := start(t, map[string]string{"REDISMETRICS_ADDR": s.addr, "REDISMETRICS_TIMEOUT": "250ms", "REDISMETRICS_COUNT_KEYS": "db0=none*"})
	within(t, 2*time.Second, func() {
		families := scrape(t, url+"/metrics")
		want(t, families, 1, "redis_up")
		want(t, families, 2000000, "redis_db_keys", "db=db0")
		want(t, families, 1, "redis_exporter_last_scrape_error", "err=timeout")
		if families["redis_keys_count"] != nil {
			t.Error("half a count is shown")
		}
	})
}

func TestRealPasswordsAndSecretsAreNotShown(t *testing.T) {
	s := redisServer(t, "--requirepass", "s3cret", "--masterauth", "s3cret-too")
	url := start(t, map[string]string{"REDISMETRICS_ADDR": s.addr, "REDISMETRICS_PASSWORD_FILE": write(t, "password", "s3cret"), "REDISMETRICS_CONFIG_VALUES": "on"})
	status, body := get(t, url+"/metrics")
	if status != http.StatusOK || !strings.Contains(body, "\nredis_up 1\n") || !strings.Contains(body, `redis_config_key_value{key="requirepass",value="***"} 1`) || strings.Contains(body, "s3cret") {
		t.Errorf("%d %.2000s", status, body)
	}
	without := start(t, map[string]string{"REDISMETRICS_ADDR": s.addr})
	want(t, scrape(t, without+"/metrics"), 1, "redis_exporter_last_scrape_error", "err=authentication")
}

func TestRealKeysAreBounded(t *testing.T) {
	s := redisServer(t, "--enable-debug-command", "yes")
	c := redis.NewClient(&redis.Options{Addr: s.addr})
	defer c.Close()
	do(t, c, "DEBUG POPULATE 5000 key 8")
	families := scrape(t, start(t, map[string]string{"REDISMETRICS_ADDR": s.addr, "REDISMETRICS_CHECK_KEYS": "key:*", "REDISMETRICS_MAX_KEYS": "50", "REDISMETRICS_COUNT_KEYS": "key:*"})+"/metrics")
	if n := len(families["redis_key_size"].GetMetric()); n != 50 {
		t.Errorf("%d keys are shown", n)
	}
	want(t, families, 5000, "redis_keys_count", "db=db0", "key=key:*")
	if families["redis_key_value_as_string"] != nil {
		t.Error("values are shown")
	}
}
