package nutcracker

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/nettest"
	"github.com/flotilla-dev/flotilla/internal/realserver"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// TestRealTwemproxyPlacesTheSame asks the real twemproxy, in front of shards that
// answer every GET with their number, where each key belongs: with all servers,
// with one ejected, and with that one back.
func TestRealTwemproxyPlacesTheSame(t *testing.T) {
	program := twemproxy(t)
	pools := goldenPools()
	shards := startShards(t, len(pools[0].Servers))
	listen := make([]string, len(pools))
	for i := range pools {
		pools[i].Listen = nettest.Refuse(t)
		listen[i] = pools[i].Listen
		for s := range pools[i].Servers {
			pools[i].Servers[s].Addr = shards[s].addr
		}
	}
	runTwemproxy(t, program, pools)

	theirs := make([][]string, len(pools))
	for _, state := range states {
		switch state {
		case "ejected":
			shards[ejectedServer].pause()
		case "returned":
			shards[ejectedServer].resume(t)
		}
		for i, pool := range pools {
			theirs[i] = append(theirs[i], observe(t, pool, state, used(t, pool)))
		}
	}
	var lines, differences []string
	for i, pool := range pools {
		for s, want := range ours(t, pool) {
			lines = append(lines, theirs[i][s])
			if theirs[i][s] != want {
				differences = append(differences, "twemproxy "+theirs[i][s]+"\nours      "+want)
			}
		}
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(goldenFile, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range differences {
		t.Error(d)
	}
	t.Logf("%d keys × %d pools × %d states: %d differences", len(keysOfEveryShape()), len(pools), len(states), len(differences))
}

// The default name of a server is its address as written, or the bare host with
// port 11211, and so is different in every run: compared here only.
func TestRealTwemproxyNamesServersTheSame(t *testing.T) {
	program := twemproxy(t)
	pool := newPool("unnamed")
	pool.Redis, pool.Listen, pool.Timeout = true, nettest.Refuse(t), 10*time.Second
	var servers []string
	for i, shard := range startShards(t, 3) {
		servers = append(servers, shard.addr+":"+strconv.Itoa(1+i))
	}
	// Its listener is only needed where a key goes there: take what is free.
	for i := 3; i < 6; i++ {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.77.1.%d:11211", i))
		if err != nil {
			t.Logf("port 11211 cannot be had: %v", err)
			break
		}
		startShard(t, i, ln)
		servers = append(servers, ln.Addr().String()+":1")
	}
	var err error
	if pool.Servers, err = ParseServers(strings.Join(servers, ",")); err != nil {
		t.Fatal(err)
	}
	runTwemproxy(t, program, []Pool{pool})
	p, err := NewPlacement(pool, nil, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	got := ask(t, pool.Listen, keysOfEveryShape())
	for i, key := range keysOfEveryShape() {
		addr := pool.Servers[p.Pick(key)].Addr
		if want := slices.IndexFunc(servers, func(s string) bool { return strings.HasPrefix(s, addr+":") }); got[i] != strconv.Itoa(want) {
			t.Fatalf("key %q: twemproxy asks server %s, we server %d", key, got[i], want)
		}
	}
}

// observe writes down where all keys of a pool go in a state. used tells whether
// any goes to the server that is taken away: the 15 bits of crc32, on a ring of
// 32, all belong to one.
func observe(t *testing.T, pool Pool, state string, used bool) string {
	t.Helper()
	var answers []string
	number := strconv.Itoa(ejectedServer)
	await.That(t, pool.Name+" is in the state "+state, func() bool {
		answers = ask(t, pool.Listen, keysOfEveryShape())
		// A key of the server that is gone finds that out, and by that ejects it.
		// Once no key meets an error, none was asked of it.
		wrong := slices.ContainsFunc(answers, func(a string) bool { return strings.HasPrefix(a, "-") })
		return !wrong && slices.Contains(answers, number) == (used && state != "ejected")
	})
	if state == "returned" { // it may have come back in the middle
		answers = ask(t, pool.Listen, keysOfEveryShape())
	}
	return line(pool.Name+"/"+state, strings.Join(answers, ""))
}

func used(t *testing.T, pool Pool) bool {
	t.Helper()
	p, err := NewPlacement(pool, nil, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(digits(p.Pick), strconv.Itoa(ejectedServer))
}

func twemproxy(t *testing.T) string {
	t.Helper()
	return realserver.Find(t, "nutcracker", "the placement is compared with what it did before, and NOT with itself, here")
}

// runTwemproxy runs the program with a file of pools until the test ends.
func runTwemproxy(t *testing.T, program string, pools []Pool) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "nutcracker.yaml")
	if err := os.WriteFile(file, []byte(write(pools)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stats, _ := net.SplitHostPort(nettest.Refuse(t))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-c", file, "-s", stats, "-a", "127.0.0.1", "-p", filepath.Join(dir, "pid"), "-v", "0")
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // was killed
	})
	for _, pool := range pools {
		await.That(t, "twemproxy listens", func() bool {
			conn, err := net.Dial("tcp", pool.Listen)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
}

// write is a file that Parse reads back as pools.
func write(pools []Pool) string {
	var b strings.Builder
	for _, p := range pools {
		fmt.Fprintf(&b, "%s:\n  listen: %s\n  hash: %s\n  distribution: %s\n  redis: %t\n  auto_eject_hosts: %t\n", p.Name, p.Listen, p.Hash, p.Distribution, p.Redis, p.AutoEject)
		fmt.Fprintf(&b, "  timeout: %d\n  server_retry_timeout: %d\n  server_failure_limit: %d\n", p.Timeout.Milliseconds(), p.RetryTimeout.Milliseconds(), p.FailureLimit)
		if p.HashTag != "" {
			fmt.Fprintf(&b, "  hash_tag: %q\n", p.HashTag)
		}
		b.WriteString("  servers:\n")
		for _, s := range p.Servers {
			fmt.Fprintf(&b, "   - %s:%d", s.Addr, s.Weight)
			if host, _, _ := net.SplitHostPort(s.Addr); s.Name != s.Addr && s.Name != host {
				b.WriteString(" " + s.Name)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// ask sends a GET for each key and returns the answers: the number of a shard,
// or an error with its dash.
func ask(t *testing.T, addr string, keys [][]byte) []string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	sent := make(chan error, 1)
	go func() {
		out := bufio.NewWriter(conn)
		for _, key := range keys {
			fmt.Fprintf(out, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len(key), key)
		}
		sent <- out.Flush()
	}()
	in := bufio.NewReader(conn)
	answers := make([]string, 0, len(keys))
	for range keys {
		text, err := in.ReadString('\n')
		if err == nil && text[0] == '$' {
			text, err = in.ReadString('\n')
		}
		if err != nil {
			t.Fatalf("after %d answers: %v", len(answers), err)
		}
		answers = append(answers, strings.TrimSpace(text))
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return answers
}

// shard answers every command with its number.
type shard struct {
	number int
	addr   string

	mu       sync.Mutex // guards all below
	listener net.Listener
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

func startShards(t *testing.T, n int) []*shard {
	t.Helper()
	shards := make([]*shard, n)
	for i := range shards {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		shards[i] = startShard(t, i, ln)
	}
	return shards
}

func startShard(t *testing.T, number int, ln net.Listener) *shard {
	t.Helper()
	s := &shard{number: number, addr: ln.Addr().String(), conns: map[net.Conn]bool{}}
	s.accept(ln)
	t.Cleanup(func() {
		s.pause()
		s.wg.Wait()
	})
	return s
}

func (s *shard) accept(ln net.Listener) {
	s.mu.Lock()
	s.listener = ln
	s.mu.Unlock()
	s.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[conn] = true
			s.mu.Unlock()
			s.wg.Go(func() { s.answer(conn) })
		}
	})
}

func (s *shard) answer(conn net.Conn) {
	defer conn.Close()
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	reply := fmt.Sprintf("$1\r\n%d\r\n", s.number)
	for {
		if err := skipCommand(in); err != nil {
			return
		}
		_, _ = out.WriteString(reply) // an error stays until Flush
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

// skipCommand reads over *2 $3 GET $n key.
func skipCommand(in *bufio.Reader) error {
	arguments, err := header(in, '*')
	for range arguments {
		var size int
		if size, err = header(in, '$'); err == nil {
			_, err = in.Discard(size + 2)
		}
		if err != nil {
			return err
		}
	}
	return err
}

func header(in *bufio.Reader, kind byte) (int, error) {
	text, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(text) < 4 || text[0] != kind {
		return 0, fmt.Errorf("%q is no header", text)
	}
	return strconv.Atoi(string(text[1 : len(text)-2]))
}

// pause closes the listener and all connections; resume listens again.
func (s *shard) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener.Close()
	for conn := range s.conns {
		conn.Close()
		delete(s.conns, conn)
	}
}

func (s *shard) resume(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.accept(ln)
}
