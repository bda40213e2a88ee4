package memcacheshard

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/memcacheshard/memtest"
	"github.com/flotilla-dev/flotilla/internal/nutcracker"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// replicated starts an ambassador before one shard of n servers, and returns a
// client, and the servers in the order of the key k: reads of it go to the first.
func replicated(t *testing.T, n int, environ map[string]string) (*running, *client, []*memtest.Server) {
	t.Helper()
	servers := fakes(t, n)
	var more []string
	for _, s := range servers[1:] {
		more = append(more, s.Addr())
	}
	env := map[string]string{
		"MEMCACHESHARD_REPLICAS": "s0 " + strings.Join(more, " "), "MEMCACHESHARD_RETRY_TIMEOUT": "300ms", "MEMCACHESHARD_FLUSH_ALL": "on",
	}
	for name, value := range environ {
		env[name] = value
	}
	r := before(t, servers[:1], env)
	c := dial(t, r.data)
	c.expect("get k\r\n", "END\r\n")
	first := 0
	for servers[first].Seen("get k") == 0 {
		first++
	}
	return r, c, append(append([]*memtest.Server(nil), servers[first:]...), servers[:first]...)
}

// setAside and back tell of the state of a server as /shards shows it.
func setAside(t *testing.T, r *running, n int) func() bool {
	return func() bool { return strings.Count(get(t, "http://"+r.admin+"/shards"), `"live": false`) == n }
}

func TestWritesGoToAllReplicasAndReadsToOne(t *testing.T) {
	t.Parallel()
	_, c, servers := replicated(t, 3, nil)
	c.expect("set k 5 0 3\r\nabc\r\nget k\r\nmg k v\r\n", "STORED\r\nVALUE k 5 3\r\nabc\r\nEND\r\nVA 3\r\nabc\r\n")
	for i, s := range servers {
		if s.Value("k") != "abc" {
			t.Errorf("replica %d holds %q", i, s.Value("k"))
		}
	}
	if servers[1].Seen("get k")+servers[2].Seen("get k") > 0 {
		t.Error("a read went to more than one")
	}
	c.expect("ms k 1 T0\r\nm\r\ntouch k 5\r\ndelete k\r\ndelete k\r\n", "HD\r\nTOUCHED\r\nDELETED\r\nNOT_FOUND\r\n")
	for i, s := range servers {
		if s.Value("k") != "" || s.Seen("touch k 5") != 1 || s.Seen("ms k 1") != 1 {
			t.Errorf("replica %d: %q, %d, %d", i, s.Value("k"), s.Seen("touch k 5"), s.Seen("ms k 1"))
		}
	}
}

func TestKeysOfAShardAreSpreadOverItsReplicas(t *testing.T) {
	t.Parallel()
	_, c, servers := replicated(t, 3, nil)
	var keys []string
	for i := range 300 {
		keys = append(keys, fmt.Sprintf("spread-%d", i))
		c.expect("get "+keys[i]+"\r\n", "END\r\n")
	}
	for i, s := range servers {
		if n := s.Seen("get spread-"); n < 60 || n > 140 {
			t.Errorf("replica %d answered %d of 300", i, n)
		}
	}
	c.expect("get "+strings.Join(keys, " ")+"\r\n", "END\r\n")
}

func TestReadsFailOverAtOnce(t *testing.T) {
	t.Parallel()
	r, c, servers := replicated(t, 2, nil)
	c.expect("set k 0 0 1\r\n1\r\nset other 0 0 1\r\n2\r\n", "STORED\r\nSTORED\r\n")
	servers[0].Kill()
	for range 20 {
		c.expect("get k\r\nmg k v\r\nget k none other\r\n", "VALUE k 0 1\r\n1\r\nEND\r\nVA 1\r\n1\r\nVALUE k 0 1\r\n1\r\nVALUE other 0 1\r\n2\r\nEND\r\n")
	}
	if strings.Contains(get(t, "http://"+r.admin+"/metrics"), "memcacheshard_shard_ejections_total{") {
		t.Error("a shard with a live replica was ejected")
	}
}

func TestAHungReplicaCostsOneTimeout(t *testing.T) {
	t.Parallel()
	r, c, servers := replicated(t, 2, map[string]string{"MEMCACHESHARD_TIMEOUT": "2s", "MEMCACHESHARD_RETRY_TIMEOUT": "1m"})
	c.expect("set k 0 0 1\r\n1\r\n", "STORED\r\n")
	servers[0].Hang()
	start := time.Now()
	c.expect("get k\r\n", "VALUE k 0 1\r\n1\r\nEND\r\n")
	if took := time.Since(start); took < 1900*time.Millisecond {
		t.Errorf("the failover took %v, want the time-out of 2s", took)
	}
	metrics := get(t, "http://"+r.admin+"/metrics")
	if !regexp.MustCompile(`(?m)^memcacheshard_shard_failures_total\{.*reason="timeout".*\} 1$`).MatchString(metrics) {
		t.Error("not one time-out is counted")
	}
	asked := servers[0].Seen("")
	for range 50 {
		c.expect("get k\r\nset k 0 0 1\r\n1\r\nadd k 0 0 1\r\n2\r\n", "VALUE k 0 1\r\n1\r\nEND\r\nSTORED\r\nNOT_STORED\r\n")
	}
	if n := servers[0].Seen(""); n != asked {
		t.Errorf("a replica that is set aside was asked %d times", n-asked)
	}
	if !setAside(t, r, 1)() {
		t.Error("status does not tell of the replica")
	}
}

// What the router promises of a replica that missed a write: when it is back it
// has nothing under that key, rather than the old value.
func TestAReplicaThatMissedWritesForgetsTheirKeys(t *testing.T) {
	t.Parallel()
	r, c, servers := replicated(t, 2, map[string]string{"MEMCACHESHARD_TIMEOUT": "2s"})
	c.expect("set k 0 0 3\r\nold\r\nset kept 0 0 4\r\nkept\r\nset gone 0 0 3\r\nold\r\n", "STORED\r\nSTORED\r\nSTORED\r\n")
	servers[0].Hang() // it keeps what it holds
	c.expect("set k 0 0 3\r\nnew\r\ndelete gone\r\nget k\r\n", "STORED\r\nDELETED\r\nVALUE k 0 3\r\nnew\r\nEND\r\n")
	c.expect("incr counter 1\r\nset counter 0 0 1\r\n1\r\nincr counter 1\r\n", "NOT_FOUND\r\nSTORED\r\n2\r\n")
	servers[0].Break() // what was sent to it is lost
	servers[0].Resume()
	await.That(t, "the replica is back", setAside(t, r, 0))
	c.expect("get k gone\r\n", "END\r\n") // read from the first replica again: a miss, not the old value
	if servers[0].Value("k") != "" || servers[0].Value("gone") != "" || servers[0].Value("kept") != "kept" || servers[1].Value("k") != "new" {
		t.Errorf("the replica holds %q, %q, %q; the other %q", servers[0].Value("k"), servers[0].Value("gone"), servers[0].Value("kept"), servers[1].Value("k"))
	}
	c.expect("set k 0 0 3\r\nnow\r\nget k\r\n", "STORED\r\nVALUE k 0 3\r\nnow\r\nEND\r\n")
}

func TestAReplicaThatMissedTooMuchIsEmptied(t *testing.T) {
	t.Parallel()
	r, c, servers := replicated(t, 2, map[string]string{"MEMCACHESHARD_TIMEOUT": "2s", "MEMCACHESHARD_RETRY_TIMEOUT": "3s"})
	c.expect("set kept 0 0 4\r\nkept\r\n", "STORED\r\n")
	servers[0].Break()
	await.That(t, "it is set aside", func() bool {
		servers[0].Hang()
		c.ask("set k 0 0 1\r\n1\r\n")
		return setAside(t, r, 1)()
	})
	var all strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&all, "set many-%d 0 0 1 noreply\r\n1\r\n", i)
	}
	c.expect(all.String(), "")
	servers[0].Break()
	servers[0].Resume()
	await.That(t, "the replica is back", setAside(t, r, 0))
	if servers[0].Seen("flush_all") != 1 || servers[0].Value("kept") != "" || servers[1].Value("kept") != "kept" {
		t.Errorf("flushed %d times, holds %q", servers[0].Seen("flush_all"), servers[0].Value("kept"))
	}
}

func TestConditionsAreDecidedByOneReplica(t *testing.T) {
	t.Parallel()
	_, c, servers := replicated(t, 3, nil)
	same := func(key, want string) {
		t.Helper()
		for i, s := range servers {
			if s.Value(key) != want {
				t.Errorf("replica %d holds %q under %s, want %q", i, s.Value(key), key, want)
			}
		}
	}
	servers[1].Put("k", "leftover") // the replicas disagree
	c.expect("add k 0 0 1\r\n1\r\n", "STORED\r\n")
	same("k", "1")
	c.expect("add k 0 0 1\r\n2\r\nreplace k 0 0 1\r\n3\r\n", "NOT_STORED\r\nSTORED\r\n")
	same("k", "3")
	servers[0].Put("k", "4") // moves its CAS value away from the others'
	answer := strings.Fields(c.ask("gets k\r\n"))
	c.expect("cas k 7 0 1 "+answer[4]+"\r\n5\r\n", "STORED\r\n")
	same("k", "5")
	c.expect("cas k 7 0 1 "+answer[4]+"\r\n6\r\ncas none 0 0 1 1\r\n6\r\n", "EXISTS\r\nNOT_FOUND\r\n")
	same("k", "5")
	c.expect("append k 0 0 1\r\n0\r\nincr k 7\r\ndecr k 1\r\n", "STORED\r\n57\r\n56\r\n")
	same("k", "56")
	c.expect("ms k 1 ME\r\n1\r\nms k 1 MR k\r\n2\r\nms k 1 MA\r\n3\r\nma k v D2\r\n", "NS\r\nHD kk\r\nHD\r\nVA 2\r\n25\r\n")
	same("k", "25")
	cas := strings.TrimSpace(strings.TrimPrefix(c.ask("mg k c\r\n"), "HD c"))
	c.expect("ms k 1 C"+cas+" T5\r\n9\r\nmd k C"+cas+"\r\n", "HD\r\nEX\r\n")
	same("k", "9")
	cas = strings.TrimSpace(strings.TrimPrefix(c.ask("mg k c\r\n"), "HD c"))
	c.expect("md k C"+cas+" q\r\n", "")
	same("k", "")
}

func TestADeleteReachesReplicasWhereverTheKeyIs(t *testing.T) {
	t.Parallel()
	_, c, servers := replicated(t, 3, nil)
	for command, answer := range map[string]string{"delete k": "NOT_FOUND\r\n", "md k": "NF\r\n", "md k C5": "NF\r\n"} {
		servers[2].Put("k", "left over")
		c.expect(command+"\r\n", answer)
		if got := servers[2].Value("k"); got != "" {
			t.Errorf("after %s a replica holds %q", command, got)
		}
	}
}

// Whatever many clients do to a key at the same time, all replicas end with the
// same value.
func TestReplicasAgreeUnderConcurrentWrites(t *testing.T) {
	t.Parallel()
	r, c, servers := replicated(t, 3, map[string]string{"MEMCACHESHARD_CONNECTIONS": "4", "MEMCACHESHARD_TIMEOUT": "15s"})
	done := make(chan struct{})
	for n := range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			one := dial(t, r.data)
			for i := range 100 {
				fmt.Fprintf(one, "set k 0 0 3\r\n%03d\r\nincr k 1\r\nadd k 0 0 1\r\n1\r\nappend k 0 0 1\r\n7\r\nset l%d 0 0 1 noreply\r\n1\r\n", i, n)
			}
			for range 400 {
				if line := one.line(); line == "closed" || strings.HasPrefix(line, "SERVER_ERROR") {
					t.Errorf("client %d reads %q", n, line)
					return
				}
			}
		}()
	}
	for range 8 {
		<-done
	}
	c.expect("", "")
	if a, b, c := servers[0].Value("k"), servers[1].Value("k"), servers[2].Value("k"); a == "" || a != b || b != c {
		t.Errorf("the replicas hold %q, %q and %q", a, b, c)
	}
}

func TestAReplicaThatMissedAWriteIsNotAskedEvenWhenItIsTheLast(t *testing.T) {
	t.Parallel()
	_, c, servers := replicated(t, 2, map[string]string{"MEMCACHESHARD_TIMEOUT": "2s", "MEMCACHESHARD_RETRY_TIMEOUT": "1m"})
	c.expect("set k 0 0 3\r\nold\r\n", "STORED\r\n")
	servers[0].Hang()
	c.expect("set k 0 0 3\r\nnew\r\n", "STORED\r\n") // missed by the first
	servers[0].Break()
	servers[0].Resume()
	servers[1].Kill()
	for range 20 {
		for _, command := range []string{"get k", "mg k v", "get k other", "incr k 1", "set k 0 0 1\r\n1"} {
			if got := c.ask(command + "\r\n"); !strings.HasPrefix(got, "SERVER_ERROR shard s0 ") {
				t.Fatalf("%q is answered by %q", command, got)
			}
		}
	}
}

func TestAReplicaThatDisagreesForgetsTheKey(t *testing.T) {
	t.Parallel()
	_, c, servers := replicated(t, 2, nil)
	c.expect("set k 0 0 2\r\n10\r\n", "STORED\r\n")
	servers[1].Put("k", "99")
	c.expect("incr k 1\r\n", "11\r\n")
	servers[1].Await("delete k", 1)
	await.That(t, "the other has forgotten it", func() bool { return servers[1].Value("k") == "" })
	c.expect("append k 0 0 1\r\n0\r\n", "STORED\r\n")
	if servers[1].Value("k") != "" {
		t.Errorf("the other holds %q", servers[1].Value("k"))
	}
}

func TestAWriteFailsOverToo(t *testing.T) {
	t.Parallel()
	_, c, servers := replicated(t, 3, map[string]string{"MEMCACHESHARD_RETRY_TIMEOUT": "1m"})
	c.expect("set k 0 0 1\r\n1\r\n", "STORED\r\n")
	servers[0].Kill()
	c.expect("incr k 1\r\nadd k2 0 0 1\r\n1\r\nset k 0 0 1\r\n3\r\ndelete k\r\n", "2\r\nSTORED\r\nSTORED\r\nDELETED\r\n")
	servers[1].Kill()
	servers[2].Kill()
	for _, command := range []string{"get k", "set k 0 0 1\r\n1", "incr k 1", "get k k2", "mg k"} {
		if got := c.ask(command + "\r\n"); !strings.HasPrefix(got, "SERVER_ERROR shard s0 ") || strings.Count(got, "\n") != 1 {
			t.Errorf("without any replica, %q is answered by %q", command, got)
		}
	}
}

func TestAShardIsEjectedWhenItsLastReplicaFails(t *testing.T) {
	t.Parallel()
	r, c, servers := replicated(t, 2, map[string]string{"MEMCACHESHARD_AUTO_EJECT": "on", "MEMCACHESHARD_FAILURE_LIMIT": "1", "MEMCACHESHARD_RETRY_TIMEOUT": "1s"})
	servers[0].Kill()
	await.That(t, "the first is set aside", func() bool { c.ask("get k\r\n"); return setAside(t, r, 1)() })
	if got := c.ask("get k\r\n"); got != "END\r\n" {
		t.Errorf("with one replica: %q", got)
	}
	servers[1].Kill()
	await.That(t, "the shard is ejected", func() bool { return c.ask("get k\r\n") == "SERVER_ERROR no shard is live\r\n" })
	servers[0].Restart()
	servers[1].Restart()
	await.That(t, "it is back", func() bool { return c.ask("get k\r\n") == "END\r\n" })
}

func TestFlushAllReachesEveryServer(t *testing.T) {
	t.Parallel()
	_, c, servers := replicated(t, 2, nil)
	c.expect("set k 0 0 1\r\n1\r\nflush_all\r\nget k\r\n", "STORED\r\nOK\r\nEND\r\n")
	servers[1].Kill()
	if got := c.ask("flush_all\r\n"); !strings.HasPrefix(got, "SERVER_ERROR shard s0 ") {
		t.Errorf("an incomplete flush is answered by %q", got)
	}
}

func TestWrongReplicasAreNamed(t *testing.T) {
	t.Parallel()
	pools := []nutcracker.Pool{{Servers: []nutcracker.Server{{Name: "memcache-0", Addr: "a:1"}, {Name: "memcache-1", Addr: "b:1"}}}}
	for text, want := range map[string]string{
		"memcache-2 c:1":                 "did you mean memcache-0?",
		"other c:1":                      "known are memcache-0, memcache-1",
		"memcache-0":                     "want addresses",
		"memcache-0 c":                   `"c" is no address`,
		"memcache-0 a:1":                 "no replica of itself",
		"memcache-0 c:1 c:1":             "is there twice",
		"memcache-0 c:1\nmemcache-0 d:1": "memcache-0 is there twice",
		"memcache-0" + strings.Repeat(" x:1", 16): "at most 15",
	} {
		if _, err := parseReplicas(text, pools); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	got, err := parseReplicas("# replicas\nmemcache-0 c:1 d:1 # both\n\nmemcache-1 e:1", pools)
	if err != nil || fmt.Sprint(got) != "map[memcache-0:[c:1 d:1] memcache-1:[e:1]]" {
		t.Errorf("%v, %v", got, err)
	}
}
