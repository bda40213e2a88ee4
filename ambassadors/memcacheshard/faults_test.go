package memcacheshard

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-dev/flotilla/internal/await"
)

func TestAKilledShardIsAnErrorThatNamesItAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 3)
	r := before(t, servers, nil)
	dead, alive := keyOf(t, r, "s1", 0), keyOf(t, r, "s2", 0)
	c := dial(t, r.data)
	c.expect("set "+dead+" 0 0 1\r\n1\r\nset "+alive+" 0 0 1\r\n2\r\n", "STORED\r\nSTORED\r\n")
	servers[1].Kill()
	for _, command := range []string{"get " + dead, "set " + dead + " 0 0 1\r\n1", "delete " + dead, "mg " + dead + " v q", "get " + alive + " " + dead, "gat 5 " + dead + " " + alive} {
		got := c.ask(command + "\r\n")
		if !strings.HasPrefix(got, "SERVER_ERROR shard s1 ") || strings.Count(got, "\n") != 1 {
			t.Errorf("%q is answered by %q", command, got)
		}
	}
	c.expect("get "+alive+"\r\n", "VALUE "+alive+" 0 1\r\n2\r\nEND\r\n")
	servers[1].Restart()
	await.That(t, "the shard is back", func() bool { return c.ask("get "+dead+"\r\n") == "END\r\n" })
}

func TestAShardThatIsDownIsAMissWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 3)
	r := before(t, servers, map[string]string{"MEMCACHESHARD_DOWN": "miss"})
	dead, alive := keyOf(t, r, "s1", 0), keyOf(t, r, "s2", 0)
	c := dial(t, r.data)
	c.expect("set "+alive+" 0 0 1\r\n2\r\n", "STORED\r\n")
	servers[1].Kill()
	c.expect("get "+dead+"\r\ngets "+dead+" "+alive+"\r\n", "END\r\nVALUE "+alive+" 0 1 1\r\n2\r\nEND\r\n")
	c.expect("mg "+dead+" v k Oab\r\nmg "+dead+" v q\r\nmg "+dead+" s\r\n", "EN k"+dead+" Oab\r\nEN\r\n")
	got := c.ask("set " + dead + " 0 0 1\r\n1\r\ndelete " + dead + "\r\n")
	if strings.Count(got, "SERVER_ERROR shard s1 ") != 2 {
		t.Errorf("writes must not look as if they were done: %q", got)
	}
}

func TestAHungShardHoldsUpOnlyWhoAsksIt(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 3)
	r := before(t, servers, map[string]string{"MEMCACHESHARD_TIMEOUT": "1m"})
	hung, other := keyOf(t, r, "s1", 0), keyOf(t, r, "s2", 0)
	patient, busy := dial(t, r.data), dial(t, r.data)
	patient.expect("set "+hung+" 0 0 1\r\n1\r\n", "STORED\r\n")
	servers[1].Hang()
	patient.send("get " + other + "\r\nget " + hung + "\r\nget " + other + "\r\n")
	servers[1].Await("get "+hung, 1)
	for range 100 {
		busy.expect("get "+other+"\r\n", "END\r\n")
	}
	servers[1].Resume()
	patient.expect("", "END\r\nVALUE "+hung+" 0 1\r\n1\r\nEND\r\nEND\r\n")
}

func TestASlowShardIsWaitedForUpToTheTimeout(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 2)
	r := before(t, servers, nil)
	c := dial(t, r.data)
	key := keyOf(t, r, "s0", 0)
	servers[0].Delay(300 * time.Millisecond)
	c.expect("set "+key+" 0 0 1\r\n1\r\n", "STORED\r\n")
}

func TestALateAnswerIsNeverTakenForTheNextOne(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	c := dial(t, before(t, servers, map[string]string{"MEMCACHESHARD_TIMEOUT": "2s"}).data)
	c.expect("set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\n", "STORED\r\nSTORED\r\n")
	servers[0].Hang()
	c.expect("get a\r\n", "SERVER_ERROR shard s0 did not answer in time\r\n")
	servers[0].Resume()
	await.That(t, "the server answers again", func() bool {
		got := c.ask("get b\r\n")
		if strings.Contains(got, "VALUE a") {
			t.Fatalf("get b is answered by %q", got)
		}
		return strings.HasPrefix(got, "VALUE b")
	})
}

func TestAServerThatTalksNonsenseIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, nonsense := range []string{
		"VALUE a 0 x\r\n", "VALUE a\r\n", "VALUE a 0 2\r\nabcdEND\r\n", "VA\r\n", "VA -1\r\n", "VA 99999999999\r\n",
		strings.Repeat("x", 5000), "END\r\nEND\r\n", strings.Repeat("STORED\r\n", 3),
	} {
		servers := fakes(t, 1)
		c := dial(t, before(t, servers, nil).data)
		servers[0].Say(nonsense)
		if got := c.ask("get a\r\n"); got != "SERVER_ERROR shard s0 sent what is no answer\r\n" && got != "END\r\n" && got != "STORED\r\n" {
			t.Errorf("%.20q: the client reads %.60q", nonsense, got)
		}
		await.That(t, "it is asked on a new connection", func() bool { return c.ask("set b 0 0 1\r\n1\r\nget b\r\n") == "STORED\r\nVALUE b 0 1\r\n1\r\nEND\r\n" })
		if n := servers[0].Accepted(); n < 2 {
			t.Errorf("%.20q: %d connections", nonsense, n)
		}
	}
}

func TestAnAnswerThatIsTooLargeIsReplacedByAnError(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	c := dial(t, before(t, servers, map[string]string{"MEMCACHESHARD_MAX_ITEM": "4KiB", "MEMCACHESHARD_MAX_ANSWER": "8KiB"}).data)
	for _, key := range []string{"a", "b", "c"} {
		servers[0].Put(key, strings.Repeat("x", 4000))
	}
	servers[0].Put("large", strings.Repeat("x", 100000))
	const refused = "SERVER_ERROR the answer is too large\r\n"
	c.expect("get large\r\nmg large v\r\nget none\r\n", refused+refused+"END\r\n")
	c.expect("get a b c\r\n", "SERVER_ERROR shard s0 gave an answer that is too large\r\n")
	if got := c.ask("get a b\r\n"); strings.Count(got, "VALUE") != 2 {
		t.Errorf("what fits: %.60q", got)
	}
	if n := servers[0].Accepted(); n != 1 {
		t.Errorf("%d connections: a large answer must not cost one", n)
	}
}

func TestAFailedShardIsEjectedAndItsKeysReturn(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 3)
	r := before(t, servers, map[string]string{"MEMCACHESHARD_AUTO_EJECT": "on", "MEMCACHESHARD_FAILURE_LIMIT": "1", "MEMCACHESHARD_RETRY_TIMEOUT": "1s"})
	key := keyOf(t, r, "s1", 0)
	c := dial(t, r.data)
	c.expect("set "+key+" 0 0 1\r\n1\r\n", "STORED\r\n")
	servers[1].Kill()
	await.That(t, "the key belongs to another shard", func() bool { return c.ask("set "+key+" 0 0 1\r\n2\r\n") == "STORED\r\n" })
	if status := get(t, "http://"+r.admin+"/shards"); !strings.Contains(status, "ejected_until") {
		t.Errorf("status: %s", status)
	}
	c.expect("get "+key+"\r\n", "VALUE "+key+" 0 1\r\n2\r\nEND\r\n")
	servers[1].Restart()
	await.That(t, "the key is back where it was", func() bool { return c.ask("get "+key+"\r\n") == "END\r\n" })
	if servers[1].Seen("get "+key) == 0 {
		t.Error("the shard was not asked")
	}
}

func TestWithoutAnyLiveShardEveryKeyIsRefused(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	r := before(t, servers, map[string]string{"MEMCACHESHARD_AUTO_EJECT": "on", "MEMCACHESHARD_FAILURE_LIMIT": "1", "MEMCACHESHARD_RETRY_TIMEOUT": "1m"})
	c := dial(t, r.data)
	servers[0].Kill()
	await.That(t, "the only shard is ejected", func() bool { return c.ask("get a\r\n") == "SERVER_ERROR no shard is live\r\n" })
	c.expect("get a b\r\nset a 0 0 1\r\n1\r\nmg a\r\n", strings.Repeat("SERVER_ERROR no shard is live\r\n", 3))
}

func TestAServerThatWasRestartedBetweenRequestsCostsNone(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	c := dial(t, before(t, servers, nil).data)
	c.expect("set a 0 0 1\r\n1\r\n", "STORED\r\n")
	for n := 2; n < 5; n++ {
		servers[0].Break()
		await.That(t, "it was dialled again", func() bool { return servers[0].Accepted() >= n })
		c.expect("get a\r\n", "VALUE a 0 1\r\n1\r\nEND\r\n")
	}
}

func TestAClientThatDoesNotReadIsStoppedAndThenCutOff(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	r := before(t, servers, map[string]string{"MEMCACHESHARD_WRITE_TIMEOUT": "300ms", "MEMCACHESHARD_TIMEOUT": "20s"})
	servers[0].Put("large", strings.Repeat("x", 500<<10))
	greedy, other := dial(t, r.data), dial(t, r.data)
	go func() {
		for range 100000 {
			if _, err := io.WriteString(greedy, "get large\r\n"); err != nil {
				return
			}
		}
	}()
	await.That(t, "it was cut off", func() bool {
		return strings.Contains(get(t, "http://"+r.admin+"/metrics"), `memcacheshard_clients_cut_total{reason="slow"} 1`)
	})
	if n := servers[0].Seen("get large"); n > 200 {
		t.Errorf("the server was asked %d times for a client that reads nothing", n)
	}
	other.expect("get none\r\n", "END\r\n")
	await.That(t, "nothing is held for it", func() bool {
		return strings.Contains(get(t, "http://"+r.admin+"/metrics"), "memcacheshard_memory_bytes 0\n")
	})
}

func TestClientsThatHoldTooMuchTogetherAreCutOff(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	r := before(t, servers, map[string]string{
		"MEMCACHESHARD_MEMORY": "2MiB", "MEMCACHESHARD_MAX_ANSWER": "2MiB", "MEMCACHESHARD_WRITE_TIMEOUT": "1m", "MEMCACHESHARD_TIMEOUT": "20s",
	})
	servers[0].Put("large", strings.Repeat("x", 1<<20))
	for range 8 {
		greedy := dial(t, r.data)
		greedy.SetReadBuffer(4 << 10)
		greedy.send(strings.Repeat("get large\r\n", 4))
	}
	await.That(t, "some were cut off", func() bool {
		return !strings.Contains(get(t, "http://"+r.admin+"/metrics"), `memcacheshard_clients_cut_total{reason="memory"} 0`)
	})
	dial(t, r.data).expect("get none\r\n", "END\r\n")
}

func TestTooManyClientsAreToldSo(t *testing.T) {
	t.Parallel()
	r := before(t, fakes(t, 1), map[string]string{"MEMCACHESHARD_CLIENTS": "1"})
	first := dial(t, r.data)
	first.expect("get a\r\n", "END\r\n")
	if got := dial(t, r.data).line(); got != "ERROR Too many open connections" {
		t.Errorf("the second reads %q", got)
	}
}

func TestAHalfClosedClientGetsItsAnswers(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	servers[0].Delay(50 * time.Millisecond)
	c := dial(t, before(t, servers, nil).data)
	c.send("set a 0 0 1\r\n1\r\nget a\r\nget none")
	c.CloseWrite()
	rest, err := io.ReadAll(c)
	if err != nil || string(rest) != "STORED\r\nVALUE a 0 1\r\n1\r\nEND\r\n" {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestDrainingAnswersWhatWasSent(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	r := before(t, servers, map[string]string{"DRAIN_TIMEOUT": "10s"})
	c, idle := dial(t, r.data), dial(t, r.data)
	idle.expect("get none\r\n", "END\r\n")
	servers[0].Hang()
	c.send("get a\r\nget b\r\n")
	servers[0].Await("get a", 1)
	ended := make(chan error, 1)
	go func() { ended <- r.stop() }()
	if got := idle.line(); got != "closed" {
		t.Errorf("an idle client reads %q", got)
	}
	servers[0].Resume()
	if got := c.line() + c.line() + c.line(); got != "ENDENDclosed" {
		t.Errorf("%q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestManyClientsAtOnceGetTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	r := before(t, fakes(t, 3), map[string]string{"MEMCACHESHARD_CONNECTIONS": "2"})
	done := make(chan error)
	for n := range 20 {
		go func() { done <- talk(dial(t, r.data), n) }()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func talk(c *client, n int) error {
	value := bytes.Repeat([]byte{'a' + byte(n)}, 1+n*997)
	for i := range 50 {
		if _, err := fmt.Fprintf(c, "set k%d-%d 0 0 %d\r\n%s\r\nget k%d-%d\r\n", n, i, len(value), value, n, i); err != nil {
			return err
		}
		want := fmt.Sprintf("STORED\r\nVALUE k%d-%d 0 %d\r\n%s\r\nEND\r\n", n, i, len(value), value)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c.in, got); err != nil || string(got) != want {
			return fmt.Errorf("client %d reads %.60q, %v", n, got, err)
		}
	}
	return nil
}

// A pipeline of large values must not fill the connection that all clients share.
func TestAPipelineOfLargeValuesIsPaced(t *testing.T) {
	t.Parallel()
	servers := fakes(t, 1)
	r := before(t, servers, map[string]string{"MEMCACHESHARD_TIMEOUT": "20s"})
	servers[0].Put("large", strings.Repeat("x", 1<<20))
	c := dial(t, r.data)
	c.expect("get large\r\n", "VALUE large 0 1048576\r\n"+strings.Repeat("x", 1<<20)+"\r\nEND\r\n")
	servers[0].Hang()
	c.send(strings.Repeat("get large\r\n", 20))
	inFlight := func(n string) func() bool {
		return func() bool { return strings.Contains(get(t, "http://"+r.admin+"/shards"), `"in_flight": `+n+"\n") }
	}
	await.That(t, "the window is used", inFlight("4")) // 4 MiB
	for range 20 {
		if !inFlight("4")() {
			t.Fatal("more than the window is under way")
		}
	}
	servers[0].Resume()
	if n, err := io.CopyN(io.Discard, c.in, 20<<20); err != nil {
		t.Errorf("after %d bytes: %v", n, err)
	}
}
