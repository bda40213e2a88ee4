package memcached

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// One suite runs over the embedded memcached and over the real one: byte for
// byte, and by the client that the fleet uses.
func TestConformanceOfTheEmbeddedServer(t *testing.T) { conform(t, start(t, nil).data) }
func TestConformanceOfTheRealServer(t *testing.T)     { conform(t, realServer(t)) }

func conform(t *testing.T, addr string) {
	t.Helper()
	for name, conversation := range conversations {
		t.Run(name, func(t *testing.T) { converse(t, addr, conversation) })
	}
	for name, test := range suite {
		t.Run(name, func(t *testing.T) {
			c := memcache.New(addr)
			c.Timeout = 10 * time.Second
			t.Cleanup(func() { c.Close() })
			if err := c.FlushAll(); err != nil {
				t.Fatal(err)
			}
			test(t, c, addr)
		})
	}
}

func realServer(t *testing.T) string {
	t.Helper()
	// Without its maintenance threads memcached's answers to incr and decr do not
	// depend on whether one of them holds the item just then.
	return realserver.Memcached(t, "the embedded one is NOT compared with it here", "-o", "no_lru_maintainer,no_lru_crawler")
}

// TestTheCapabilityTesterOfLibmemcachedPasses runs another project's suite over
// the embedded server.
func TestTheCapabilityTesterOfLibmemcachedPasses(t *testing.T) {
	program := realserver.Find(t, "memccapable", "it is of libmemcached-tools")
	host, port, _ := net.SplitHostPort(start(t, nil).data)
	out, err := exec.CommandContext(t.Context(), program, "-a", "-h", host, "-p", port).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "All tests passed") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A conversation is what a client sends, each with the answer it must get. A #
// stands for a number that differs from server to server.
type exchange struct{ say, hear string }

// answers tells whether an answer is as expected.
func answers(got, want string) bool {
	for i, part := range strings.Split(want, "#") {
		if i > 0 {
			rest := strings.TrimLeft(got, "0123456789")
			if rest == got {
				return false
			}
			got = rest
		}
		if !strings.HasPrefix(got, part) {
			return false
		}
		got = got[len(part):]
	}
	return got == ""
}

func converse(t *testing.T, addr string, conversation []exchange) {
	t.Helper()
	p := dial(t, addr)
	p.ask("flush_all\r\n")
	for _, e := range conversation {
		got := p.ask(e.say + "\r\n")
		if !answers(strings.TrimSuffix(got, "\r\n"), e.hear) {
			t.Errorf("%.60q is answered by %.200q, want %.200q", e.say, got, e.hear)
		}
	}
}

const (
	crlf = "\r\n"
	bad  = "CLIENT_ERROR bad command line format"
)

var (
	long  = strings.Repeat("k", 250)
	large = strings.Repeat("x", 1<<20)
)

var conversations = map[string][]exchange{
	"Retrieval": {
		{"set a 7 0 3\r\nabc", "STORED"},
		{"set b 4294967295 0 0\r\n", "STORED"},
		{"get a", "VALUE a 7 3\r\nabc\r\nEND"},
		{"gets a b", "VALUE a 7 3 #\r\nabc\r\nVALUE b 4294967295 0 #\r\n\r\nEND"},
		{"get  none   b  a none", "VALUE b 4294967295 0\r\n\r\nVALUE a 7 3\r\nabc\r\nEND"},
		{"gat 100 a none", "VALUE a 7 3\r\nabc\r\nEND"},
		{"gats 100 a", "VALUE a 7 3 #\r\nabc\r\nEND"},
		{"mg a t", "HD t100"},
		{"get " + long, "END"},
		{"get a " + long + "k", bad},
		{"gat x a", "CLIENT_ERROR invalid exptime argument"},
		{"get", "ERROR"}, {"gats", "ERROR"}, {"getx a", "ERROR"},
		{"get " + strings.Repeat("none ", 2000) + "a", "VALUE a 7 3\r\nabc\r\nEND"},
	},
	"Storage": {
		{"add a 0 0 1\r\n1", "STORED"}, {"add a 0 0 1\r\n2", "NOT_STORED"},
		{"replace none 0 0 1\r\n2", "NOT_STORED"}, {"replace a 5 0 1\r\n2", "STORED"},
		{"append a 9 9 1\r\n3", "STORED"}, {"prepend a 9 9 1\r\n1", "STORED"},
		{"append none 0 0 1\r\n3", "NOT_STORED"}, {"prepend none 0 0 1\r\n3", "NOT_STORED"},
		{"get a", "VALUE a 5 3\r\n123\r\nEND"},
		{"set bin 0 0 6\r\n\x00\r\n\r\n\xff", "STORED"}, {"get bin", "VALUE bin 0 6\r\n\x00\r\n\r\n\xff\r\nEND"},
		{"cas none 0 0 1 1\r\n1", "NOT_FOUND"}, {"cas a 0 0 1 1000000\r\n1", "EXISTS"},
		{"set " + long + " 0 0 1\r\n1", "STORED"},
	},
	"NoReply": {
		{"set a 0 0 1 noreply\r\n1", ""}, {"add a 0 0 1 noreply\r\n1", ""}, {"append a 0 0 1 noreply\r\n0", ""},
		{"incr a 5 noreply", ""}, {"decr a 1 noreply", ""}, {"touch a 0 noreply", ""},
		{"get a", "VALUE a 0 2\r\n14\r\nEND"},
		{"delete a noreply", ""}, {"delete a noreply", ""}, {"delete a 0 noreply", ""}, {"get a", "END"},
		{"set a 0 0 1\r\n1\r\nflush_all noreply", "STORED"}, {"get a", "END"}, {"flush_all 0 noreply", ""}, {"verbosity 0 noreply", ""},
		{"version noreply", "VERSION 1.#.#"},
		{"incr a x noreply", ""}, {"incr a noreply", ""},
	},
	"Numbers": {
		{"set n 3 0 2\r\n10", "STORED"}, {"incr n 5", "15"}, {"decr n 6", "9"}, {"get n", "VALUE n 3 2\r\n9 \r\nEND"},
		{"incr n 1", "10"}, {"decr n 100", "0"}, {"incr n 1000", "1000"}, {"decr n 999", "1"},
		{"get n", "VALUE n 3 4\r\n1   \r\nEND"},
		{"incr none 1", "NOT_FOUND"}, {"decr none 1", "NOT_FOUND"},
		{"incr n -1", "CLIENT_ERROR invalid numeric delta argument"}, {"incr n x", "CLIENT_ERROR invalid numeric delta argument"},
		{"incr n 18446744073709551616", "CLIENT_ERROR invalid numeric delta argument"},
		{"set s 0 0 1\r\nx", "STORED"}, {"incr s 1", notANumber}, {"set s 0 0 0\r\n", "STORED"}, {"decr s 1", notANumber},
		{"incr n", "ERROR"}, {"incr n 1 2 3", "ERROR"},
	},
	"DeleteAndTouch": {
		{"set a 0 0 1\r\n1", "STORED"}, {"touch a 100", "TOUCHED"}, {"mg a t", "HD t100"}, {"touch a 0", "TOUCHED"}, {"mg a t", "HD t-1"},
		{"touch none 0", "NOT_FOUND"}, {"touch a x", "CLIENT_ERROR invalid exptime argument"}, {"touch a", "ERROR"},
		{"delete a 1", bad + ".  Usage: delete <key> [noreply]"}, {"delete a", "DELETED"}, {"delete a", "NOT_FOUND"}, {"delete", "ERROR"},
		{"set a 0 0 1\r\n1", "STORED"}, {"delete a 0", "DELETED"}, {"delete " + long + "k", bad},
	},
	"Expiry": {
		{"set a 0 -1 1\r\n1", "STORED"}, {"get a", "END"},
		{"set a 0 2592000 1\r\n1", "STORED"}, {"mg a t", "HD t2592000"}, // 30 days: from now on
		{"set a 0 2592001 1\r\n1", "STORED"}, {"get a", "END"}, // a second more: in 1970
		{"set a 0 2147483647 1\r\n1", "STORED"}, {"get a", "VALUE a 0 1\r\n1\r\nEND"}, {"gat -1 a", "VALUE a 0 1\r\n1\r\nEND"}, {"get a", "END"},
		{"set a 0 0 1\r\n1", "STORED"}, {"touch a -1", "TOUCHED"}, {"get a", "END"},
		{"set a 0 0 1\r\n1", "STORED"}, {"flush_all 1000", "OK"}, {"get a", "VALUE a 0 1\r\n1\r\nEND"}, {"flush_all", "OK"}, {"get a", "END"},
		{"flush_all x", "CLIENT_ERROR invalid exptime argument"}, {"flush_all 1 2 3", "ERROR"},
	},
	"Limits": {
		{"set big 0 0 1048000\r\n" + large[:1048000], "STORED"},
		{"set big 0 0 1048576\r\n" + large, tooLarge}, {"get big", "END"}, // not even the one before it
		{"ms big 1048576\r\n" + large, tooLarge},
		{"set a 0 0 1048576 noreply\r\n" + large, ""},
	},
	"WrongLines": {
		{"", "ERROR"}, {"x", "ERROR"}, {"nonsense", "ERROR"}, {"GET a", "ERROR"}, {"set", "ERROR"}, {"set a 0 0", "ERROR"}, {"mx a", "ERROR"},
		{"set a 0 0 -1", bad}, {"set a 0 0 x", bad}, {"set a 0 0 1 2 3 4", "ERROR"},
		{"set a 0 0 2\r\nabcdef", badChunk + "\r\nERROR"}, {"get a", "END"},
		{"verbosity", "ERROR"}, {"verbosity x", bad}, {"verbosity 1", "OK"}, {"stats nonsense", "ERROR"}, {"stats reset", "RESET"},
	},
	"MetaGet": {
		{"set a 5 0 3\r\nabc", "STORED"}, {"mg a", "HD"}, {"mg none", "EN"}, {"mg none q", ""}, {"mg none k Oxy", "EN knone Oxy"},
		{"mg a v", "VA 3\r\nabc"}, {"mg a s v t f k O123 c", "VA 3 s3 t-1 f5 ka O123 c#\r\nabc"}, {"mg a q k", "HD ka"},
		{"mg a T50 t", "HD t50"}, {"mg a T0 t", "HD t-1"}, {"mg a P1 Lx s", "HD s3"},
		{"set h 0 0 1\r\n1", "STORED"}, {"mg h u h l t", "HD h0 l0 t-1"}, {"mg h h", "HD h0"}, {"mg h h", "HD h1"},
		{"mg", "ERROR"}, {"mg " + long + "k", bad}, {"mg a v v", "CLIENT_ERROR duplicate flag"}, {"mg a !", "CLIENT_ERROR invalid flag"},
		{"mg a Tx", badToken}, {"mg a Nx", badToken}, {"mg a O" + long, "CLIENT_ERROR opaque token too long"},
		{"mg a" + strings.Repeat(" v", 20), "CLIENT_ERROR options flags are too long"},
	},
	"MetaBinaryKeys": {
		{"ms Zm9v 2 b k\r\nhi", "HD kZm9v b"}, {"mg Zm9v b k v", "VA 2 kZm9v b\r\nhi"}, {"get foo", "VALUE foo 0 2\r\nhi\r\nEND"},
		{"mg ???? b", "CLIENT_ERROR error decoding key"}, {"md Zm9v b k", "HD kZm9v b"}, {"mg Zm9v b k", "EN kZm9v b"},
		{"me Zm9v b", "EN"},
	},
	"MetaRecache": {
		{"mg a N30 t v", "VA 0 t30 W\r\n"}, {"mg a N30 t v", "VA 0 t30 Z\r\n"}, {"ms a 1 T90\r\n1", "HD"}, {"mg a N30 t v", "VA 1 t90\r\n1"},
		{"mg a R30 t", "HD t90"}, {"mg a R100 t", "HD t90 W"}, {"mg a R100 t", "HD t90 Z"},
		{"ms a 1 T90\r\n1", "HD"}, {"md a I T30", "HD"}, {"mg a t v", "VA 1 t30 X W\r\n1"}, {"mg a t v", "VA 1 t30 Z X\r\n1"},
	},
	"MetaSet": {
		{"ms a 3 F5 T100 c k O1\r\nabc", "HD c# ka O1"}, {"get a", "VALUE a 5 3\r\nabc\r\nEND"},
		{"ms a 3 q\r\ndef", ""}, {"ms a 1 ME\r\n1", "NS"}, {"ms a 1 ME q k\r\n1", "NS ka"}, {"ms a 1 MA\r\ng", "HD"}, {"ms a 1 MP\r\nc", "HD"},
		{"get a", "VALUE a 0 5\r\ncdefg\r\nEND"}, {"ms b 1 MR\r\n1", "NS"}, {"ms b 1 MS\r\n1", "HD"}, {"ms none 1 C5\r\n1", "NF"},
		{"ms a 1 C1000000\r\n1", "EX"}, {"ms a 1 MA C1000000\r\n1", "EX"}, {"ms none 1 MA\r\n1", "NS"},
		{"ms a", bad}, {"ms a x", bad}, {"ms a 2\r\nabcdef", badChunk + "\r\nERROR"},
	},
	"MetaDelete": {
		{"set a 0 0 1\r\n1", "STORED"}, {"md a C1000000", "EX"}, {"md a k O9", "HD ka O9"}, {"md a k O9", "NF ka O9"}, {"md a q", "NF"},
		{"set a 0 0 1\r\n1", "STORED"}, {"md a q", ""}, {"md a !", "CLIENT_ERROR invalid or duplicate flag"}, {"md", "ERROR"},
	},
	"MetaArithmetic": {
		{"ma n", "NF"}, {"ma n q k", "NF kn"}, {"ma n N30 J13 v t", "VA 2 t30\r\n13"}, {"ma n v", "VA 2\r\n14"}, {"ma n", "HD"},
		{"ma n D10 v c", "VA 2 c#\r\n25"}, {"ma n MD D20 v", "VA 1\r\n5"}, {"ma n M- D50 v", "VA 1\r\n0"}, {"ma n M+ v T90 t", "VA 1 t90\r\n1"},
		{"ma n q", ""}, {"ma n q v", ""}, {"ma n C1000000", "EX"}, {"ma n MX", "CLIENT_ERROR invalid mode for ma M token"},
		{"ma n Dx", "CLIENT_ERROR invalid or duplicate flag"}, {"set s 0 0 1\r\nx", "STORED"}, {"ma s", notANumber},
	},
	"MetaDebug": {
		{"set a 0 0 3\r\nabc", "STORED"}, {"me a", "ME a exp=-1 la=0 cas=# fetch=no cls=# size=#"}, {"me none", "EN"}, {"me", bad},
	},
	"AQuietPipelineEndsWithItsBarrier": {
		{"set b 0 0 1\r\n2", "STORED"},
		{"mg a v q k\r\nmg b v q k\r\nmg c v q k\r\nmd none q\r\nms d 1 q\r\n4", "VA 1 kb\r\n2\r\nNF"},
	},
}

var suite = map[string]func(*testing.T, *memcache.Client, string){
	"TheClientOfTheFleetGetsWhatItStored": gomemcache,
	"ACASIsTakenOnce":                     casOnce,
	"ManyKeysAtOnce":                      multi,
	"TimePasses":                          expiry,
	"ADelayedFlushComes":                  delayedFlush,
	"StatsAreCounted":                     counted,
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func gomemcache(t *testing.T, c *memcache.Client, _ string) {
	must(t, c.Ping())
	must(t, c.Set(&memcache.Item{Key: "a", Value: []byte("1"), Flags: 7, Expiration: 100}))
	it, err := c.Get("a")
	must(t, err)
	want(t, "value", string(it.Value), "1")
	want(t, "flags", it.Flags, 7)
	want(t, "add", c.Add(&memcache.Item{Key: "a"}), memcache.ErrNotStored)
	want(t, "replace", c.Replace(&memcache.Item{Key: "none"}), memcache.ErrNotStored)
	must(t, c.Append(&memcache.Item{Key: "a", Value: []byte("0")}))
	must(t, c.Prepend(&memcache.Item{Key: "a", Value: []byte("2")}))
	n, err := c.Increment("a", 5)
	must(t, err)
	want(t, "incremented", n, 215)
	n, err = c.Decrement("a", 300)
	must(t, err)
	want(t, "decremented", n, 0)
	_, err = c.Increment("none", 1)
	want(t, "incr of nothing", err, memcache.ErrCacheMiss)
	must(t, c.Touch("a", 50))
	want(t, "touch of nothing", c.Touch("none", 50), memcache.ErrCacheMiss)
	_, err = c.GetAndTouch("a", 50)
	must(t, err)
	must(t, c.Delete("a"))
	want(t, "delete of nothing", c.Delete("a"), memcache.ErrCacheMiss)
	must(t, c.DeleteAll())
}

func casOnce(t *testing.T, c *memcache.Client, _ string) {
	must(t, c.Set(&memcache.Item{Key: "a", Value: []byte("1")}))
	first, err := c.Get("a")
	must(t, err)
	second, err := c.Get("a")
	must(t, err)
	must(t, c.CompareAndSwap(first))
	want(t, "the second", c.CompareAndSwap(second), memcache.ErrCASConflict)
	must(t, c.Delete("a"))
	want(t, "of nothing", c.CompareAndSwap(first), memcache.ErrCacheMiss)
}

func multi(t *testing.T, c *memcache.Client, _ string) {
	var keys []string
	for i := range 1000 {
		key := fmt.Sprintf("key-%d", i)
		keys = append(keys, key, "none-"+key)
		must(t, c.Set(&memcache.Item{Key: key, Value: []byte(key)}))
	}
	got, err := c.GetMulti(keys)
	must(t, err)
	want(t, "found", len(got), 1000)
	for key, it := range got {
		want(t, key, string(it.Value), key)
	}
}

func expiry(t *testing.T, c *memcache.Client, _ string) {
	start := time.Now()
	must(t, c.Set(&memcache.Item{Key: "relative", Expiration: 2}))
	must(t, c.Set(&memcache.Item{Key: "absolute", Expiration: int32(start.Unix()) + 3}))
	must(t, c.Set(&memcache.Item{Key: "forever"}))
	for _, key := range []string{"relative", "absolute"} {
		_, err := c.Get(key)
		must(t, err)
		await.That(t, key+" expired", func() bool {
			_, err := c.Get(key)
			return errors.Is(err, memcache.ErrCacheMiss)
		})
	}
	if took := time.Since(start); took < time.Second || took > 20*time.Second {
		t.Errorf("2 and 3 seconds took %v", took)
	}
	_, err := c.Get("forever")
	must(t, err)
}

func delayedFlush(t *testing.T, c *memcache.Client, addr string) {
	must(t, c.Set(&memcache.Item{Key: "before"}))
	p := dial(t, addr)
	want(t, "flush", p.ask("flush_all 2\r\n"), "OK\r\n")
	_, err := c.Get("before")
	must(t, err)
	await.That(t, "the flush came", func() bool {
		_, err := c.Get("before")
		return errors.Is(err, memcache.ErrCacheMiss)
	})
	await.That(t, "what is stored after it stays", func() bool { // memcached's clock has whole seconds
		must(t, c.Set(&memcache.Item{Key: "after"}))
		_, err := c.Get("after")
		return err == nil
	})
}

func counted(t *testing.T, _ *memcache.Client, addr string) {
	p := dial(t, addr)
	p.ask("stats reset\r\nset a 0 0 1\r\n1\r\nget a none\r\n")
	stats := p.ask("stats\r\n")
	for _, line := range []string{"STAT cmd_get 2", "STAT get_hits 1", "STAT get_misses 1", "STAT cmd_set 1", "STAT limit_maxbytes 67108864"} {
		if !strings.Contains(stats, line+crlf) {
			t.Errorf("stats lack %q", line)
		}
	}
	if settings := p.ask("stats settings\r\n"); !strings.Contains(settings, "STAT item_size_max 1048576\r\n") {
		t.Errorf("settings: %s", settings)
	}
}
