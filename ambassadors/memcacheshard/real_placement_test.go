package memcacheshard

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

// TestRealTwemproxyPlacesTheSame asks the real twemproxy and this ambassador, both
// in front of the same shards that answer every get with their number, where each
// of 10,000 keys belongs: with all servers, with one ejected, with that one back.
func TestRealTwemproxyPlacesTheSame(t *testing.T) {
	program := realserver.Find(t, "nutcracker", "the placement is compared with what it did before, and NOT with itself, here")
	shards := make([]*shardServer, 4)
	for i := range shards {
		shards[i] = startShard(t, i, "127.0.0.1:0")
	}
	var lines []string
	differences, compared := 0, 0
	for _, g := range golden {
		names := numbered(t, g.settings, g.servers)
		var servers []string
		for i, name := range names {
			servers = append(servers, fmt.Sprintf("%s:%d %s", shards[i].addr, weightOf(t, g.settings, g.servers, name), name))
		}
		theirs, ours := both(t, program, g.settings, servers)
		for _, state := range states {
			switch state {
			case "ejected":
				shards[taken].pause()
			case "returned":
				shards[taken].resume(t)
			}
			a, b := observe(t, theirs, state, "twemproxy"), observe(t, ours, state, "memcacheshard")
			for i, key := range keys() {
				compared++
				if a[i] != b[i] {
					if differences++; differences < 20 {
						t.Errorf("pool %s, %s: twemproxy looks for %q on server %s, we on %s", g.name, state, key, a[i], b[i])
					}
				}
			}
			lines = append(lines, goldenLine(g.name+"/"+state, strings.Join(a, "")))
		}
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(goldenFile, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d keys × %d pools × %d states: %d differences in %d comparisons", len(keys()), len(golden), len(states), differences, compared)
}

// The default name of a server is its address as written, or the bare host with
// port 11211: compared with servers that really listen there.
func TestRealTwemproxyNamesServersOfPort11211TheSame(t *testing.T) {
	program := realserver.Find(t, "nutcracker", "the names of servers are NOT compared with it here")
	var servers []string
	for i := range 3 {
		addr := fmt.Sprintf("127.77.2.%d:11211", 1+i)
		if ln, err := net.Listen("tcp", addr); err != nil {
			t.Skipf("SKIPPED: port 11211 cannot be had here: %v", err)
		} else {
			ln.Close()
		}
		startShard(t, i, addr)
		servers = append(servers, addr+":1")
	}
	for i := 3; i < 5; i++ {
		servers = append(servers, startShard(t, i, "127.0.0.1:0").addr+":1")
	}
	theirs, ours := both(t, program, "hash: fnv1a_64, distribution: ketama", servers)
	a, b := ask(t, theirs), ask(t, ours)
	for i, key := range keys() {
		if a[i] != b[i] {
			t.Fatalf("twemproxy looks for %q on server %s, we on %s", key, a[i], b[i])
		}
	}
}

// numbered returns the names of servers in the order in which they are numbered.
func numbered(t *testing.T, settings string, servers []string) []string {
	var names []string
	for _, s := range parsed(t, "p", "127.0.0.1:1", settings, servers).Servers {
		names = append(names, s.Name)
	}
	return names
}

func weightOf(t *testing.T, settings string, servers []string, name string) int {
	for _, s := range parsed(t, "p", "127.0.0.1:1", settings, servers).Servers {
		if s.Name == name {
			return s.Weight
		}
	}
	return 0
}

// both starts twemproxy and an ambassador with the same pool.
func both(t *testing.T, program, settings string, servers []string) (theirs, ours string) {
	t.Helper()
	settings += ", auto_eject_hosts: true, server_failure_limit: 1, server_retry_timeout: 3000, timeout: 10000"
	theirs = nettest.Refuse(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "nutcracker.yaml")
	if err := os.WriteFile(file, []byte(yaml("p", theirs, settings, servers)), 0o600); err != nil {
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
	await.That(t, "twemproxy listens", func() bool {
		conn, err := net.Dial("tcp", theirs)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return theirs, start(t, map[string]string{"MEMCACHESHARD_CONFIG_FILE": file}).data
}

// observe asks where all keys are until the proxy is in a state.
func observe(t *testing.T, addr, state, who string) (answers []string) {
	t.Helper()
	number := strconv.Itoa(taken)
	await.Seen(t, who+" is "+state, func() (any, bool) {
		answers = ask(t, addr)
		// A key of the server that is gone finds that out, and by that ejects it. Once
		// no key meets an error, none was asked of it.
		wrong := slices.ContainsFunc(answers, func(a string) bool { return len(a) != 1 })
		return answers[:10], !wrong && slices.Contains(answers, number) == (state != "ejected")
	})
	if state == "returned" { // it may have come back in the middle
		return ask(t, addr)
	}
	return answers
}

// ask sends a get for each key and returns the values, or errors.
func ask(t *testing.T, addr string) []string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	sent := make(chan error, 1)
	go func() {
		out := bufio.NewWriter(conn)
		for _, key := range keys() {
			fmt.Fprintf(out, "get %s\r\n", key)
		}
		sent <- out.Flush()
	}()
	in := bufio.NewReader(conn)
	answers := make([]string, 0, len(keys()))
	for range keys() {
		answers = append(answers, answer(t, in))
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return answers
}

func answer(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	text, err := in.ReadString('\n')
	if err == nil && strings.HasPrefix(text, "VALUE ") {
		if text, err = in.ReadString('\n'); err == nil {
			_, err = in.ReadString('\n') // END
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text)
}

// shardServer answers every get with its number.
type shardServer struct {
	number int
	addr   string

	mu       sync.Mutex // guards all below
	listener net.Listener
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

func startShard(t *testing.T, number int, addr string) *shardServer {
	t.Helper()
	s := &shardServer{number: number, addr: addr, conns: map[net.Conn]bool{}}
	s.resume(t)
	t.Cleanup(func() {
		s.pause()
		s.wg.Wait()
	})
	return s
}

// resume listens, again; pause closes the listener and all connections.
func (s *shardServer) resume(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.addr = ln, ln.Addr().String()
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

func (s *shardServer) pause() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.listener.Close()
	for conn := range s.conns {
		_ = conn.Close()
		delete(s.conns, conn)
	}
}

func (s *shardServer) answer(conn net.Conn) {
	defer conn.Close()
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		key := strings.TrimSpace(strings.TrimPrefix(line, "get "))
		fmt.Fprintf(out, "VALUE %s 0 1\r\n%d\r\nEND\r\n", key, s.number)
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}
