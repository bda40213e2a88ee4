package redisshard

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
	"github.com/flotilla-dev/flotilla/internal/process/processtest"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestWrongParametersAreNamedTogether(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"REDISSHARD_SERVERS": "a:1,a:1", "REDISSHARD_CONFIG_FILE": "x", "REDISSHARD_TIMEOUT": "0s", "REDISSHARD_PIPELINE": "0",
		"REDISSHARD_CLIENT_MEMORY": "1KiB", "REDISSHARD_SERVER_NAME": "x", "REDISSHARD_CONNECTIONS": "65", "REDISSHARD_THREADS": "-1",
	}
	err := Run(t.Context(), processtest.Parse[Config](t, Program, env))
	for _, want := range []string{"set one of them", "REDISSHARD_TIMEOUT: want", "REDISSHARD_PIPELINE: want", "at least twice REDISSHARD_MAX_REPLY", "REDISSHARD_TLS: is off", `two servers are called "a:1"`, "REDISSHARD_CONNECTIONS: want 1 to 64", "REDISSHARD_THREADS: want 0 to 1024"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	for servers, want := range map[string]string{"a:1": `"sha1" is no hash`, "": "set one of them"} {
		cfg := processtest.Parse[Config](t, Program, map[string]string{"REDISSHARD_SERVERS": servers, "REDISSHARD_HASH": "sha1"})
		if err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", servers, err)
		}
	}
}

func TestClientsOverTheLimitAreTold(t *testing.T) {
	a, _ := three(t, map[string]string{"REDISSHARD_CLIENTS": "2"})
	first, second := dial(t, a.addr), dial(t, a.addr)
	for _, c := range []*raw{first, second} {
		c.send(t, "PING")
		c.expect(t, "+PONG\r\n")
	}
	third := dial(t, a.addr)
	third.expect(t, "-ERR max number of clients reached\r\n")
	third.end(t)
	if n := a.metric(t, `redisshard_clients_refused_total{pool="redis"}`); n != "1" {
		t.Errorf("%s are counted", n)
	}
}

func TestManyClientsShareFewConnections(t *testing.T) {
	f := newFake(t, func(conn net.Conn, words []string) { _, _ = conn.Write(resp.AppendBulk(nil, words[1])) })
	a := start(t, map[string]string{"REDISSHARD_SERVERS": f.addr, "REDISSHARD_CONNECTIONS": "2"})
	var clients []*raw
	for i := range 200 {
		c := dial(t, a.addr)
		c.send(t, fmt.Sprint("GET k", i))
		clients = append(clients, c)
	}
	for i, c := range clients {
		c.expect(t, string(resp.AppendBulk(nil, fmt.Sprint("k", i))))
	}
	if n := f.count(); n > 2 {
		t.Errorf("%d connections to the server, want 2", n)
	}
}

func TestAReplyOverTheLimitIsAnErrorAndTheNextIsRight(t *testing.T) {
	a, direct := three(t, map[string]string{"REDISSHARD_MAX_REPLY": "64KiB"})
	ctx := deadline(t)
	big, small := keyOf(t, 1, 0), keyOf(t, 1, 1)
	if err := direct[1].Set(ctx, big, strings.Repeat("x", 100_000), 0).Err(); err != nil {
		t.Fatal(err)
	}
	c := dial(t, a.addr)
	c.send(t, "SET "+small+" y", "GET "+big, "GET "+small, "MGET "+big+" "+keyOf(t, 0, 0))
	c.expect(t, "+OK\r\n-ERR shard s1 answered with more than 65536 bytes, the limit of a reply\r\n$1\r\ny\r\n-ERR shard s1 answered with more than 65536 bytes, the limit of a reply\r\n")
}

func TestACommandOverTheLimitIsToldAndEnds(t *testing.T) {
	a, _ := three(t, map[string]string{"REDISSHARD_MAX_COMMAND": "64KiB"})
	c := dial(t, a.addr)
	go func() {
		_, _ = c.Write(resp.AppendCommand(nil, "SET", "k", strings.Repeat("x", 100_000)))
	}()
	c.expect(t, "-ERR Protocol error: message too large\r\n")
}

// A client that asks and does not read is not read any further, holds no more
// than its share, and is cut off; others are not hindered.
func TestAClientThatDoesNotReadIsHeldBackAndCutOff(t *testing.T) {
	value := strings.Repeat("x", 50_000)
	asked := make(chan struct{}, 1<<20)
	f := newFake(t, func(conn net.Conn, words []string) {
		asked <- struct{}{}
		_, _ = conn.Write(resp.AppendBulk(nil, value))
	})
	a := start(t, map[string]string{
		"REDISSHARD_SERVERS": f.addr, "REDISSHARD_MAX_REPLY": "64KiB", "REDISSHARD_CLIENT_MEMORY": "2MiB", "REDISSHARD_MEMORY": "64MiB",
		"REDISSHARD_WRITE_TIMEOUT": "400ms", "REDISSHARD_PIPELINE": "16",
	})
	slow := dial(t, a.addr)
	_ = slow.SetReadBuffer(4 << 10)
	sent := make(chan int, 1)
	go func() {
		n := 0
		for {
			if _, err := slow.Write(resp.AppendCommand(nil, "GET", "k")); err != nil {
				sent <- n
				return
			}
			n++
		}
	}()
	other := dial(t, a.addr)
	want := string(resp.AppendBulk(nil, value))
	for range 50 {
		other.send(t, "GET k")
		other.expect(t, want)
	}
	<-sent // the connection was closed under it
	n := len(asked) - 50
	// What its socket buffers take, its share of memory, and a pipeline.
	if n > 400 {
		t.Errorf("%d requests of a client that does not read were passed on", n)
	}
	await.That(t, "nothing is held any more", func() bool { return a.metric(t, "redisshard_memory_bytes") == "0" })
	other.send(t, "GET k")
	other.expect(t, want)
}

// Waiting does not help while replies are stored that wait for others before
// them: some of who has many is cut off, and the others get theirs.
func TestClientsThatHoldTooMuchTogetherAreCutOff(t *testing.T) {
	const size = 950_000 // twice of it is less than half of what a client may hold
	slow, release := hold(t)
	big := newFake(t, func(conn net.Conn, _ []string) { _, _ = conn.Write(resp.AppendBulk(nil, strings.Repeat("x", size))) })
	a := start(t, map[string]string{
		"REDISSHARD_HASH": "murmur", "REDISSHARD_SERVERS": named(slow.addr, big.addr, big.addr), "REDISSHARD_TIMEOUT": "20s",
		"REDISSHARD_MAX_REPLY": "2MiB", "REDISSHARD_CLIENT_MEMORY": "4MiB", "REDISSHARD_MEMORY": "4MiB",
	})
	ask := func() *raw {
		c := dial(t, a.addr)
		c.send(t, "GET "+keyOf(t, 0, 0), "GET "+keyOf(t, 1, 0), "GET "+keyOf(t, 1, 1))
		return c
	}
	var patient []*raw
	for n := 1; n <= 4; n++ { // not more than twice REDISSHARD_MEMORY
		patient = append(patient, ask())
		await.That(t, "the replies are held", func() bool { return a.held(t) >= n*2*size })
	}
	if n := a.metric(t, `redisshard_clients_cut_total{reason="replies"}`); n != "0" {
		t.Errorf("%s clients were cut off while no more than twice of the limit was held", n)
	}
	for range 3 { // together they would hold more than all may
		ask().end(t)
	}
	release()
	want := "$4\r\nlate\r\n" + strings.Repeat(string(resp.AppendBulk(nil, strings.Repeat("x", size))), 2)
	for _, c := range patient {
		c.expect(t, want)
	}
	await.That(t, "nothing is held any more", func() bool { return a.held(t) == 0 })
	patient[0].send(t, "PING")
	patient[0].expect(t, "+PONG\r\n")
}

// held is what is held for all clients.
func (a *ambassador) held(t *testing.T) int {
	t.Helper()
	n, err := strconv.ParseFloat(a.metric(t, "redisshard_memory_bytes"), 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// Commands that have come in part take the room that they wait for.
func TestLargeCommandsDoNotHoldUpOthersForEver(t *testing.T) {
	a, _ := three(t, map[string]string{"REDISSHARD_MAX_REPLY": "1MiB", "REDISSHARD_CLIENT_MEMORY": "2MiB", "REDISSHARD_MEMORY": "2MiB"})
	other, large := dial(t, a.addr), dial(t, a.addr)
	go func() {
		_, _ = io.WriteString(large, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n"+strings.Repeat("x", 7_000_000))
	}()
	await.That(t, "too much is held", func() bool { return a.held(t) > 2<<20 })
	for range 3 {
		other.send(t, "PING")
		other.expect(t, "+PONG\r\n")
	}
	if n := a.metric(t, `redisshard_clients_cut_total{reason="commands"}`); n != "1" {
		t.Errorf("%s clients were cut off", n)
	}
	await.That(t, "nothing is held any more", func() bool { return a.held(t) == 0 })
}

func TestPipelinesLongerThanTheLimitAreAnswered(t *testing.T) {
	a, _ := three(t, map[string]string{"REDISSHARD_PIPELINE": "3", "REDISSHARD_IN_FLIGHT": "2"})
	c := dial(t, a.addr)
	const n = 500
	go func() {
		for i := range n {
			_, _ = c.Write(resp.AppendCommand(nil, "SET", fmt.Sprint("k", i), strconv.Itoa(i)))
			_, _ = c.Write(resp.AppendCommand(nil, "PING"))
			_, _ = c.Write(resp.AppendCommand(nil, "GET", fmt.Sprint("k", i)))
		}
	}()
	for i := range n {
		c.expect(t, "+OK\r\n+PONG\r\n"+string(resp.AppendBulk(nil, strconv.Itoa(i))))
	}
}

func TestWatchersOverTheLimitAreTold(t *testing.T) {
	a, _ := three(t, map[string]string{"REDISSHARD_WATCHES": "1"})
	first, second := dial(t, a.addr), dial(t, a.addr)
	first.send(t, "WATCH k")
	first.expect(t, "+OK\r\n")
	second.send(t, "WATCH k")
	if got := second.line(t); !strings.HasPrefix(got, "-ERR more than 1 sessions watch keys of shard s") {
		t.Errorf("%q", got)
	}
	first.send(t, "UNWATCH")
	first.expect(t, "+OK\r\n")
	second.send(t, "WATCH k", "MULTI", "SET k v", "EXEC")
	second.expect(t, "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n")
	third := dial(t, a.addr)
	third.send(t, "WATCH k")
	third.expect(t, "+OK\r\n")
	third.Close() // and so gives its connection back
	await.That(t, "the place is free", func() bool {
		second.send(t, "WATCH k")
		free := second.line(t) == "+OK"
		second.send(t, "UNWATCH")
		second.line(t)
		return free
	})
}

func TestAHalfClosedClientGetsItsReplies(t *testing.T) {
	f, release := hold(t)
	a, _ := mixed(t, f, map[string]string{"REDISSHARD_TIMEOUT": "20s"})
	c := dial(t, a.addr)
	if _, err := io.WriteString(c, "PING\r\n"); err != nil { // a line of words
		t.Fatal(err)
	}
	c.send(t, "GET "+keyOf(t, 0, 0), "SET "+keyOf(t, 1, 0)+" x")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the request is in flight", func() bool { return a.metric(t, `redisshard_shard_in_flight{pool="redis",shard="s0"}`) == "1" })
	release()
	c.expect(t, "+PONG\r\n$4\r\nlate\r\n+OK\r\n")
	c.end(t)
}

func TestQuitEndsAfterTheReplies(t *testing.T) {
	a, _ := three(t, nil)
	c := dial(t, a.addr)
	c.send(t, "SET k v", "QUIT", "GET k")
	c.expect(t, "+OK\r\n+OK\r\n")
	c.end(t)
}

func TestTheEndAnswersWhatIsInFlight(t *testing.T) {
	f, release := hold(t)
	a, _ := mixed(t, f, map[string]string{"REDISSHARD_TIMEOUT": "20s"})
	idle, busy := dial(t, a.addr), dial(t, a.addr)
	idle.send(t, "PING")
	idle.expect(t, "+PONG\r\n")
	busy.send(t, "GET "+keyOf(t, 0, 0), "SET "+keyOf(t, 1, 0)+" x")
	await.That(t, "the request is in flight", func() bool { return a.metric(t, `redisshard_shard_in_flight{pool="redis",shard="s0"}`) == "1" })
	ended := make(chan error, 1)
	go func() { ended <- a.stop() }()
	idle.end(t)
	release()
	busy.expect(t, "$4\r\nlate\r\n+OK\r\n")
	busy.end(t)
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
}
