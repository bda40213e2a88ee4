package memcacheshard

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// realServers starts memcached, several times.
func realServers(t *testing.T, n int) (addrs []string, processes []*os.Process) {
	t.Helper()
	program := realserver.Find(t, "memcached", "the router is NOT tried before real servers here")
	for range n {
		addr := nettest.Refuse(t)
		_, port, _ := net.SplitHostPort(addr)
		args := []string{"-p", port, "-l", "127.0.0.1", "-U", "0", "-m", "64", "-t", "1", "-o", "no_lru_maintainer,no_lru_crawler"}
		if os.Getuid() == 0 {
			args = append(args, "-u", "root")
		}
		cmd := exec.Command(program, args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // at worst it has ended
			_ = cmd.Wait()
		})
		await.That(t, "memcached listens", func() bool {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
		addrs, processes = append(addrs, addr), append(processes, cmd.Process)
	}
	return addrs, processes
}

// beforeReal starts an ambassador before real servers r0, r1, …
func beforeReal(t *testing.T, addrs []string, environ map[string]string) *running {
	t.Helper()
	var list []string
	for i, addr := range addrs {
		list = append(list, fmt.Sprintf("%s:1 r%d", addr, i))
	}
	env := map[string]string{"MEMCACHESHARD_SERVERS": strings.Join(list, ","), "MEMCACHESHARD_TIMEOUT": "20s", "MEMCACHESHARD_HASH": "md5", "MEMCACHESHARD_FLUSH_ALL": "on", "MEMCACHESHARD_AUTO_EJECT": "off"}
	for name, value := range environ {
		env[name] = value
	}
	return start(t, env)
}

// TestRealServersBehindTheRouterAnswerLikeOne says the same thousands of commands
// to one memcached, and to the router before three others, and compares every
// answer. Left out is ma with q and N: memcached breaks the silence when it creates
// the item, and the router cannot see that it did.
func TestRealServersBehindTheRouterAnswerLikeOne(t *testing.T) {
	addrs, _ := realServers(t, 4)
	one, router := dial(t, addrs[3]), dial(t, beforeReal(t, addrs[:3], nil).data)
	one.SetDeadline(time.Now().Add(time.Minute))
	router.SetDeadline(time.Now().Add(time.Minute))
	seed := rand.Uint64()
	w := walk{rand.New(rand.NewPCG(seed, 1))}
	for i := range 20000 {
		line := w.command()
		a, b := plain(one.ask(own(one, line))), plain(router.ask(own(router, line)))
		if a != b {
			t.Fatalf("seed %d, command %d, %q: memcached answers %q, the router %q", seed, i, line, a, b)
		}
	}
}

// own puts the CAS value of the command's key in place of the word CAS.
func own(c *client, line string) string {
	if !strings.Contains(line, "CAS") {
		return line
	}
	value := "1000000000"
	answer := strings.Fields(c.ask("mg " + strings.Fields(line)[1] + " c u\r\n"))
	if len(answer) == 2 && answer[1][0] == 'c' {
		value = answer[1][1:]
	}
	return strings.ReplaceAll(line, "CAS", value)
}

var (
	casValue = regexp.MustCompile(`(?m)(^VALUE \S+ \d+ \d+) \d+\r$|( [ct])[1-9]\d*`)
	values   = regexp.MustCompile(`(?s)VALUE .*?\r\n(VALUE |END\r\n$)`)
)

// plain leaves out what two servers may answer differently: CAS values, seconds,
// and the order of values.
func plain(answer string) string {
	answer = casValue.ReplaceAllString(answer, "$1$2")
	if !values.MatchString(answer) {
		return answer
	}
	all := strings.SplitAfter(strings.TrimSuffix(answer, "END\r\n"), "\r\nVALUE ")
	for i := range all {
		all[i] = strings.TrimSuffix(all[i], "VALUE ")
	}
	all[0] = strings.TrimPrefix(all[0], "VALUE ")
	slices.Sort(all)
	return strings.Join(all, "|")
}

type walk struct{ *rand.Rand }

func (w walk) of(words ...string) string { return words[w.IntN(len(words))] }

func (w walk) key() string {
	return w.of("a", "b", "c", "d", "e", "f", "g", "h", "key:1", "key:2", strings.Repeat("k", 250))
}

func (w walk) keys() string {
	all := []string{"a", "b", "c", "d", "e", "f", "g", "h", "key:1", "key:2", strings.Repeat("k", 250)}
	w.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return strings.Join(all[:1+w.IntN(len(all))], " ")
}

func (w walk) value() string {
	return w.of("", "0", "7", "99", "100", "abc", "12 ", "x\r\ny", strings.Repeat("v", w.IntN(3000)))
}

func (w walk) command() string {
	noreply := w.of("", "", "", " noreply")
	switch value := w.value(); w.IntN(14) {
	case 0, 1:
		return fmt.Sprintf("%s %s %s %s %d%s\r\n%s\r\n", w.of("set", "set", "add", "replace", "append", "prepend"), w.key(), w.of("0", "5"), w.of("0", "100", "-1"), len(value), noreply, value)
	case 2:
		return fmt.Sprintf("cas %s 0 0 %d %s%s\r\n%s\r\n", w.key(), len(value), w.of("CAS", "1000000000"), noreply, value)
	case 3, 4:
		return fmt.Sprintf("%s %s\r\n", w.of("get", "gets"), w.keys())
	case 5:
		return fmt.Sprintf("%s %s %s\r\n", w.of("gat", "gats"), w.of("0", "100", "-1", "x"), w.keys())
	case 6:
		return fmt.Sprintf("%s %s %s%s\r\n", w.of("incr", "decr"), w.key(), w.of("1", "10", "0", "x", "-1"), noreply)
	case 7:
		return fmt.Sprintf("touch %s %s%s\r\n", w.key(), w.of("0", "100", "-1", "x"), noreply)
	case 8:
		return fmt.Sprintf("delete %s%s%s\r\n", w.key(), w.of("", "", " 0", " 1"), noreply)
	case 9:
		return fmt.Sprintf("mg %s%s\r\n", w.key(), w.flags("v", "k", "f", "s", "t", "c", "h", "q", "u", "Oabc", "N100", "T200", "R300", "Tx", "z"))
	case 10:
		return fmt.Sprintf("ms %s %d%s\r\n%s\r\n", w.key(), len(value), w.flags("k", "c", "q", "Oabc", "F7", "T100", "ME", "MA", "MP", "MR", "MS", "CCAS", "C1000000000", "I"), value)
	case 11:
		return fmt.Sprintf("md %s%s\r\n", w.key(), w.flags("k", "q", "Oabc", "CCAS", "C1000000000", "I", "T100"))
	case 12:
		return fmt.Sprintf("ma %s%s\r\n", w.key(), w.flags("k", w.of("q", "N100"), "Oabc", "CCAS", "C1000000000", "J50", "D10", "MD", "MI", "v", "t", "c"))
	}
	return w.of("flush_all\r\n", "verbosity 0\r\n", "version\r\n", "nonsense\r\n", "get\r\n", "me none\r\n", "mg\r\n", "ms Zm9v 3 b k\r\nabc\r\n", "mg Zm9v b k v\r\n", "get foo\r\n", "md ??? b\r\n", "mg ??? b\r\n")
}

// flags picks a few, each once.
func (w walk) flags(from ...string) string {
	var line strings.Builder
	seen := map[byte]bool{}
	for range w.IntN(5) {
		flag := w.of(from...)
		if !seen[flag[0]] {
			seen[flag[0]] = true
			line.WriteString(" " + flag)
		}
	}
	return line.String()
}

func TestRealServersAreUsedByAnUnmodifiedGomemcache(t *testing.T) {
	addrs, _ := realServers(t, 3)
	useGomemcache(t, beforeReal(t, addrs, nil))
}

func TestAnUnmodifiedGomemcacheWorks(t *testing.T) {
	t.Parallel()
	useGomemcache(t, before(t, fakes(t, 3), map[string]string{"MEMCACHESHARD_FLUSH_ALL": "on"}))
}

func useGomemcache(t *testing.T, r *running) {
	t.Helper()
	c := memcache.New(r.data)
	c.Timeout = 10 * time.Second
	defer c.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	must(c.Ping())
	var all []string
	for i := range 500 {
		all = append(all, fmt.Sprintf("key-%d", i))
		must(c.Set(&memcache.Item{Key: all[i], Value: []byte(all[i]), Flags: 7}))
	}
	got, err := c.GetMulti(append(all, "none"))
	must(err)
	if len(got) != 500 || string(got["key-7"].Value) != "key-7" || got["key-7"].Flags != 7 {
		t.Errorf("GetMulti returns %d", len(got))
	}
	first, err := c.Get("key-1")
	must(err)
	second, err := c.Get("key-1")
	must(err)
	must(c.CompareAndSwap(first))
	is(c.CompareAndSwap(second), memcache.ErrCASConflict)
	is(c.Add(&memcache.Item{Key: "key-1"}), memcache.ErrNotStored)
	is(c.Replace(&memcache.Item{Key: "none"}), memcache.ErrNotStored)
	must(c.Set(&memcache.Item{Key: "n", Value: []byte("1")}))
	must(c.Append(&memcache.Item{Key: "n", Value: []byte("0")}))
	must(c.Prepend(&memcache.Item{Key: "n", Value: []byte("2")}))
	if n, err := c.Increment("n", 5); err != nil || n != 215 {
		t.Errorf("Increment: %d, %v", n, err)
	}
	must(c.Touch("n", 100))
	_, err = c.GetAndTouch("n", 100)
	must(err)
	must(c.Delete("n"))
	is(c.Delete("n"), memcache.ErrCacheMiss)
	_, err = c.Get("n")
	is(err, memcache.ErrCacheMiss)
	must(c.FlushAll())
	_, err = c.Get("key-1")
	is(err, memcache.ErrCacheMiss)
}

func TestRealToolsOfLibmemcachedWork(t *testing.T) {
	for _, tool := range []string{"memccp", "memccat", "memcexist", "memcping", "memcrm", "memctouch", "memcflush", "memcstat", "memcslap"} {
		realserver.Find(t, tool, "the tools of libmemcached are NOT tried here")
	}
	addrs, _ := realServers(t, 3)
	r := beforeReal(t, addrs, nil)
	file := filepath.Join(t.TempDir(), "a-file")
	if err := os.WriteFile(file, []byte("what the file says"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want string, command ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), command[0], append([]string{"--servers=" + r.data}, command[1:]...)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v, %q, want %q", command, err, out, want)
		}
	}
	run("", "memcping")
	run("", "memccp", file)
	run("", "memcexist", "a-file")
	run("what the file says", "memccat", "a-file")
	run("", "memctouch", "a-file")
	run("", "memcrm", "a-file")
	run("memcacheshard", "memcstat")
	run("Time", "memcslap", "--concurrency=5", "--execute-number=200", "--test=set")
	run("Time", "memcslap", "--concurrency=5", "--execute-number=200", "--test=get")
	run("", "memcflush")
}

func TestRealCapabilityTesterOfLibmemcachedPasses(t *testing.T) {
	program := realserver.Find(t, "memccapable", "libmemcached's suite is NOT run over the router here")
	addrs, _ := realServers(t, 3)
	host, port, _ := net.SplitHostPort(beforeReal(t, addrs, nil).data)
	out, err := exec.CommandContext(t.Context(), program, "-a", "-h", host, "-p", port).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "All tests passed") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRealServerUnderSIGSTOPDoesNotHoldUpTheOthers(t *testing.T) {
	addrs, processes := realServers(t, 3)
	r := beforeReal(t, addrs, map[string]string{"MEMCACHESHARD_TIMEOUT": "2s", "MEMCACHESHARD_AUTO_EJECT": "on", "MEMCACHESHARD_FAILURE_LIMIT": "1", "MEMCACHESHARD_RETRY_TIMEOUT": "5s"})
	stopped, other := keyOf(t, r, "r1", 0), keyOf(t, r, "r2", 0)
	c := dial(t, r.data)
	c.expect("set "+stopped+" 0 0 1\r\n1\r\nset "+other+" 0 0 1\r\n2\r\n", "STORED\r\nSTORED\r\n")
	realserver.Pause(t, processes[1])
	waiting := dial(t, r.data)
	waiting.send("get " + stopped + "\r\n")
	for range 50 {
		c.expect("get "+other+"\r\n", "VALUE "+other+" 0 1\r\n2\r\nEND\r\n")
	}
	if got := waiting.line(); got != "SERVER_ERROR shard r1 did not answer in time" {
		t.Errorf("who asks the stopped server reads %q", got)
	}
	c.expect("get "+stopped+"\r\n", "END\r\n") // it is ejected: another one is asked
	if err := processes[1].Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await.That(t, "its keys are back", func() bool { return c.ask("get "+stopped+"\r\n") == "VALUE "+stopped+" 0 1\r\n1\r\nEND\r\n" })
}
