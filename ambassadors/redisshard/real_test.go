package redisshard

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func program(t *testing.T, name string) string {
	t.Helper()
	return realserver.Find(t, name, "redisshard is NOT tested with it here")
}

// run runs a program until the test ends.
func run(t *testing.T, path string, args ...string) *os.Process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, args...)
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // was killed
	})
	return cmd.Process
}

func freeAddr(t *testing.T) (addr, port string) {
	t.Helper()
	addr = nettest.Refuse(t)
	_, port, err := net.SplitHostPort(addr)
	return addr, must(t, port, err)
}

func awaitListener(t *testing.T, addr string) {
	t.Helper()
	await.That(t, addr+" listens", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func realRedis(t *testing.T) (addr string, process *os.Process) {
	t.Helper()
	path := program(t, "redis-server")
	addr, port := freeAddr(t)
	process = run(t, path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	awaitListener(t, addr)
	return addr, process
}

// Commands that twemproxy supports, and whose answer is always the same.
const sameAnswers = `SET a 1|GET a|GET none|INCR a|APPEND a xyz|STRLEN a|GETRANGE a 0 1|SETRANGE a 1 Q|GETSET a new|SETNX a x|SETEX b 100 v|PSETEX c 100000 v|INCRBYFLOAT f 1.5
MSET k1 v1 k2 v2 k3 v3 k4 v4 k5 v5|MGET k1 k2 none k3 k4 k5 k1|DEL k1 k2 none|UNLINK k3 k4|EXISTS k5|TOUCH k5 none|TYPE k5|TTL k5|EXPIRE k5 100|PERSIST k5|DUMP none
HSET h f v g w|HGET h f|HMGET h f none g|HGETALL h|HDEL h f|HLEN h|HINCRBY h n 5|HKEYS h|HVALS h|HEXISTS h g
RPUSH l a b c d|LRANGE l 0 -1|LPOP l|RPOP l|LINDEX l 0|LLEN l|LREM l 0 b|LINSERT l BEFORE c x|LSET l 0 y|LTRIM l 0 0
SADD s m|SISMEMBER s m|SCARD s|SREM s m|SMEMBERS s|SADD {t}1 a b|SADD {t}2 b c|SINTER {t}1 {t}2|SDIFFSTORE {t}3 {t}1 {t}2|SMOVE {t}1 {t}2 a
ZADD z 1 a 2 b 3 c|ZRANGE z 0 -1 WITHSCORES|ZSCORE z b|ZRANK z c|ZCOUNT z 1 2|ZINCRBY z 5 a|ZREM z b|ZRANGEBYSCORE z -inf +inf|ZUNIONSTORE {t}z 2 {t}1 {t}2|ZCARD {t}z
PFADD p a b c|PFCOUNT p|SETBIT bits 7 1|GETBIT bits 7|BITCOUNT bits|EVAL return{KEYS[1],ARGV[1]} 1 k v|GEOADD g 13.361389 38.115556 Palermo|GEOHASH g Palermo
LPUSH a x|HGET a x|INCR k5|GET|SET onlykey|PING`

// Whoever comes from twemproxy gets the same answers, byte for byte.
func TestRealTwemproxyAnswersTheSame(t *testing.T) {
	path := program(t, "nutcracker")
	var servers []string
	for i := range 3 {
		addr, _ := realRedis(t)
		servers = append(servers, fmt.Sprintf("%s:1 s%d", addr, i))
	}
	listen, _ := freeAddr(t)
	_, stats := freeAddr(t)
	conf := writeFile(t, "nutcracker.yaml", strings.Replace(strings.Replace(file(servers...), "127.0.0.1:26379", listen, 1), "redis: true", "redis: true\n  hash_tag: \"{}\"", 1))
	run(t, path, "-c", conf, "-a", "127.0.0.1", "-s", stats, "-p", filepath.Join(t.TempDir(), "pid"), "-v", "0")
	awaitListener(t, listen)
	a := start(t, map[string]string{"REDISSHARD_CONFIG_FILE": conf, "LISTEN_ADDR": "127.0.0.1:0"})

	answers := func(addr string) []string {
		var all []string
		for line := range strings.SplitSeq(sameAnswers, "\n") {
			for command := range strings.SplitSeq(line, "|") {
				c := dial(t, addr) // twemproxy closes after what it does not like
				c.send(t, command)
				all = append(all, command+" → "+answer(t, c))
				c.Close()
			}
		}
		for _, server := range servers { // for the next
			addr, _, _ := strings.Cut(server, ":1 s")
			direct := dial(t, addr)
			direct.send(t, "FLUSHALL")
			direct.expect(t, "+OK\r\n")
		}
		return all
	}
	theirs, ours := answers(listen), answers(a.addr)
	same := 0
	for i := range theirs {
		switch {
		case theirs[i] == ours[i]:
			same++
		case strings.HasSuffix(theirs[i], "closed"):
			if !strings.Contains(ours[i], "-ERR wrong number of arguments") {
				t.Errorf("twemproxy closes, we say %q", ours[i])
			}
		default:
			t.Errorf("twemproxy says %q, we %q", theirs[i], ours[i])
		}
	}
	t.Logf("%d of %d answers are the same; twemproxy closes after the others", same, len(theirs))
}

// answer reads one reply, or "closed".
func answer(t *testing.T, c *raw) string {
	t.Helper()
	in := resp.NewReplies(1 << 20)
	for {
		reply, ok, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return string(reply)
		}
		if _, err := in.Fill(c.in); err != nil {
			return "closed"
		}
	}
}

// A real process that is stopped: its kernel goes on to accept for it.
func TestRealRedisThatIsStoppedIsLeftOutAndComesBack(t *testing.T) {
	var servers []string
	var processes []*os.Process
	for range 3 {
		addr, process := realRedis(t)
		servers, processes = append(servers, addr), append(processes, process)
	}
	a := start(t, map[string]string{
		"REDISSHARD_HASH": "murmur", "REDISSHARD_SERVERS": named(servers...), "REDISSHARD_TIMEOUT": "2s",
		"REDISSHARD_FAILURE_LIMIT": "1", "REDISSHARD_RETRY_TIMEOUT": "5s",
	})
	c, other := dial(t, a.addr), dial(t, a.addr)
	k0, k1 := keyOf(t, 0, 0), keyOf(t, 1, 0)
	c.send(t, "SET "+k0+" before", "SET "+k1+" x")
	c.expect(t, "+OK\r\n+OK\r\n")
	realserver.Pause(t, processes[0])
	began := time.Now()
	c.send(t, "GET "+k0, "GET "+k1)
	other.send(t, "GET "+k1)
	other.expect(t, "$1\r\nx\r\n")
	c.expect(t, "-ERR shard s0 did not answer within 2s\r\n$1\r\nx\r\n")
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("it was given up after %v", took)
	}
	c.send(t, "SET "+k0+" elsewhere", "GET "+k0)
	c.expect(t, "+OK\r\n$9\r\nelsewhere\r\n")
	if err := processes[0].Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await.That(t, "it is back", func() bool {
		c.send(t, "GET "+k0)
		c.line(t) // its length
		return c.line(t) == "before"
	})
}

func TestRealRedisServesAnUnmodifiedClient(t *testing.T) {
	var servers []string
	for range 3 {
		addr, _ := realRedis(t)
		servers = append(servers, addr)
	}
	a := start(t, map[string]string{"REDISSHARD_HASH": "murmur", "REDISSHARD_SERVERS": named(servers...)})
	for _, version := range []int{2, 3} {
		suite(t, a, version)
	}
}

func TestRealBenchmarkAndCommandLineAreServed(t *testing.T) {
	benchmark, cli := program(t, "redis-benchmark"), program(t, "redis-cli")
	addr, _ := realRedis(t)
	a := start(t, map[string]string{"REDISSHARD_SERVERS": addr})
	_, port, _ := net.SplitHostPort(a.addr)
	out, err := exec.CommandContext(deadline(t), benchmark, "-p", port, "-n", "2000", "-c", "20", "-P", "4", "-q", "-t", "ping,set,get,incr,lpush,rpop,sadd,hset,mset").CombinedOutput()
	if err != nil || strings.Contains(string(out), "Error") {
		t.Errorf("%v: %s", err, out)
	}
	for _, flag := range []string{"-2", "-3"} {
		cmd := exec.CommandContext(deadline(t), cli, "-p", port, flag)
		cmd.Stdin = strings.NewReader("SET k v\nGET k\nHSET h f v\nHGETALL h\n")
		out, err := cmd.CombinedOutput()
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || !strings.HasPrefix(got, "OK v ") || !strings.HasSuffix(got, "f v") {
			t.Errorf("%s: %v: %q", flag, err, got)
		}
	}
}
