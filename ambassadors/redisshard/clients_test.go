package redisshard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/nutcracker"
)

func placement(t *testing.T, c nutcracker.Pool) *nutcracker.Placement {
	t.Helper()
	p, err := nutcracker.NewPlacement(c, nil, nutcracker.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// three starts an ambassador over three servers under the hash murmur, by which
// few keys spread well.
func three(t *testing.T, env map[string]string) (*ambassador, []*redis.Client) {
	t.Helper()
	servers, _ := embedded(t, 3)
	all := map[string]string{"REDISSHARD_HASH": "murmur", "REDISSHARD_SERVERS": named(servers[0].Addr(), servers[1].Addr(), servers[2].Addr())}
	for name, value := range env {
		all[name] = value
	}
	a := start(t, all)
	var direct []*redis.Client
	for _, s := range servers {
		direct = append(direct, connect(t, s.Addr(), nil))
	}
	return a, direct
}

func TestWhatCannotBeShardedIsRefusedAndTheConnectionStays(t *testing.T) {
	a, _ := three(t, nil)
	c := dial(t, a.addr)
	k0, k1 := keyOf(t, 0, 0), keyOf(t, 1, 0)
	for line, want := range map[string]string{
		"KEYS *":                           "-ERR KEYS is not supported: it concerns the keys of all shards",
		"scan 0":                           "-ERR SCAN is not supported: it concerns the keys of all shards",
		"FLUSHALL":                         "-ERR FLUSHALL is not supported",
		"BLPOP k 0":                        "-ERR BLPOP is not supported: it would block a connection that others share",
		"SUBSCRIBE c":                      "-ERR SUBSCRIBE is not supported: it needs a connection of its own",
		"CONFIG GET save":                  "-ERR CONFIG is not supported: it concerns one server",
		"NOSUCH\x01 a":                     "-ERR unknown command 'NOSUCH.': redisshard does not know where its keys are",
		"GET":                              "-ERR wrong number of arguments for 'get' command",
		"SELECT 7":                         "-ERR SELECT of another database",
		"CLIENT KILL x":                    "-ERR CLIENT is supported with",
		"SCRIPT KILL":                      "-ERR SCRIPT is supported with",
		"HELLO 4":                          "-NOPROTO",
		"AUTH secret":                      "-ERR AUTH <password> called without any password configured",
		"SINTER " + k0 + " " + k1:          "-CROSSSLOT the keys of SINTER belong to different shards: give them a common hash tag",
		"EVAL x 2 " + k0 + " " + k1:        "-CROSSSLOT the keys of EVAL",
		"SORT " + k0 + " STORE " + k1:      "-CROSSSLOT the keys of SORT",
		"MSETNX " + k0 + " 1 " + k1 + " 2": "-CROSSSLOT the keys of MSETNX",
		"EXEC":                             "-ERR EXEC without MULTI",
		"DISCARD":                          "-ERR DISCARD without MULTI",
	} {
		c.send(t, line, "PING")
		if got := c.line(t); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
		c.expect(t, "+PONG\r\n")
	}
}

func TestMalformedBytesAreAnsweredAfterWhatIsOwed(t *testing.T) {
	a, _ := three(t, nil)
	for input, want := range map[string]string{
		"*1\r\n:5\r\n":         "-ERR Protocol error: expected '$'",
		"*1\r\n$999999999\r\n": "-ERR Protocol error: message too large",
	} {
		c := dial(t, a.addr)
		c.send(t, "SET k v", "GET k")
		if _, err := c.Write([]byte(input)); err != nil {
			t.Fatal(err)
		}
		c.expect(t, "+OK\r\n$1\r\nv\r\n")
		if got := c.line(t); got != want {
			t.Errorf("%q: %q", input, got)
		}
		c.end(t)
	}
	browser := dial(t, a.addr)
	if _, err := browser.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\n\r\nSET k evil\r\n")); err != nil {
		t.Fatal(err)
	}
	browser.end(t)
}

func TestKeysAreWhereThePlacementSays(t *testing.T) {
	a, direct := three(t, nil)
	c := connect(t, a.addr, nil)
	ctx := deadline(t)
	conf, err := Config{Servers: named("a:1", "b:1", "c:1"), Hash: "murmur", Distribution: "ketama", HashTag: "{}"}.pool()
	if err != nil {
		t.Fatal(err)
	}
	p := placement(t, conf)
	used := map[int]int{}
	for i := range 300 {
		key := fmt.Sprintf("user:{%d}:name", i)
		if err := c.Set(ctx, key, i, 0).Err(); err != nil {
			t.Fatal(err)
		}
		at := p.Pick([]byte(key))
		used[at]++
		if got, err := direct[at].Get(ctx, key).Int(); err != nil || got != i {
			t.Fatalf("%s is not on s%d: %d, %v", key, at, got, err)
		}
	}
	if len(used) != 3 {
		t.Errorf("the keys are spread as %v", used)
	}
}

// One suite for both versions of the protocol.
func TestAnUnmodifiedClientIsServed(t *testing.T) {
	for _, version := range []int{2, 3} {
		a, _ := three(t, nil)
		suite(t, a, version)
	}
}

func suite(t *testing.T, a *ambassador, version int) {
	t.Helper()
	c := connect(t, a.addr, func(o *redis.Options) { o.Protocol = version; o.ClientName = "test" })
	for name, test := range map[string]func(*testing.T, *redis.Client){
		"split": splitCommands, "types": types, "pipeline": pipelines, "transaction": transactions, "watch": watches, "scripts": scripts, "session": sessions,
	} {
		t.Run(fmt.Sprintf("RESP%d/%s", version, name), func(t *testing.T) { test(t, c) })
	}
}

func must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func splitCommands(t *testing.T, c *redis.Client) {
	ctx := deadline(t)
	var pairs []any
	var keys []string
	for i := range 50 {
		keys = append(keys, fmt.Sprintf("split-%d", i))
		pairs = append(pairs, keys[i], fmt.Sprintf("value\r\n%d", i))
	}
	must(t, "", c.MSet(ctx, pairs...).Err())
	got := must(t, c.MGet(ctx, append(keys, "none", keys[0])...).Val(), nil)
	for i := range keys {
		if got[i] != fmt.Sprintf("value\r\n%d", i) {
			t.Fatalf("value %d of MGET is %v", i, got[i])
		}
	}
	if got[50] != nil || got[51] != "value\r\n0" || len(got) != 52 {
		t.Errorf("the end of MGET is %v", got[50:])
	}
	for what, r := range map[string]*redis.IntCmd{"EXISTS": c.Exists(ctx, append(keys, "none", keys[0])...), "TOUCH": c.Touch(ctx, append(keys, keys[1])...)} {
		if n, err := r.Result(); err != nil || n != 51 {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
	if n, err := c.Del(ctx, keys[:20]...).Result(); err != nil || n != 20 {
		t.Errorf("DEL: %d, %v", n, err)
	}
	if n, err := c.Unlink(ctx, keys...).Result(); err != nil || n != 30 {
		t.Errorf("UNLINK: %d, %v", n, err)
	}
}

func types(t *testing.T, c *redis.Client) {
	ctx := deadline(t)
	must(t, int64(0), c.HSet(ctx, "h", map[string]any{"a": 1, "b": 2}).Err())
	if all := must(t, c.HGetAll(ctx, "h").Val(), nil); len(all) != 2 || all["b"] != "2" {
		t.Errorf("hash: %v", all)
	}
	must(t, int64(0), c.ZAdd(ctx, "z", redis.Z{Score: 1.5, Member: "x"}, redis.Z{Score: 2, Member: "y"}).Err())
	if z := must(t, c.ZRangeWithScores(ctx, "z", 0, -1).Val(), nil); len(z) != 2 || z[0].Score != 1.5 {
		t.Errorf("sorted set: %v", z)
	}
	must(t, int64(0), c.SAdd(ctx, "s", "a", "b").Err())
	if members := must(t, c.SMembers(ctx, "s").Val(), nil); len(members) != 2 {
		t.Errorf("set: %v", members)
	}
	if _, err := c.Get(ctx, "none").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("nothing there: %v", err)
	}
	if err := c.LPush(ctx, "h", "x").Err(); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		t.Errorf("an error of the server: %v", err)
	}
	must(t, int64(0), c.Del(ctx, "x").Err())
	must(t, "", c.XAdd(ctx, &redis.XAddArgs{Stream: "x", ID: "1-1", Values: []any{"k", "v"}}).Err())
	read, err := c.XRead(ctx, &redis.XReadArgs{Streams: []string{"x", "0"}, Block: -1}).Result()
	if err != nil || len(read) != 1 || read[0].Messages[0].Values["k"] != "v" {
		t.Errorf("stream: %v, %v", read, err)
	}
	big := strings.Repeat("\r\n$-1\x00\xff", 200_000)
	must(t, "", c.Set(ctx, "big", big, 0).Err())
	if got := must(t, c.Get(ctx, "big").Val(), nil); got != big {
		t.Errorf("a large value: %d bytes came back", len(got))
	}
}

func pipelines(t *testing.T, c *redis.Client) {
	ctx := deadline(t)
	results, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 3000 {
			switch i % 4 {
			case 0:
				p.Set(ctx, fmt.Sprint("p", i), i, 0)
			case 1:
				p.Get(ctx, fmt.Sprint("p", i-1))
			case 2:
				p.Echo(ctx, fmt.Sprint(i))
			case 3:
				p.MGet(ctx, fmt.Sprint("p", i-3), "none", fmt.Sprint("p", i%3*4))
			}
		}
		return nil
	})
	must(t, "", err)
	for i, r := range results {
		var got string
		switch r := r.(type) {
		case *redis.StatusCmd:
			got = r.Val()
		case *redis.StringCmd:
			got = r.Val()
		case *redis.SliceCmd:
			got = fmt.Sprint(r.Val())
		}
		want := []string{"OK", fmt.Sprint(i - 1), fmt.Sprint(i), fmt.Sprintf("[%d <nil> %d]", i-3, i%3*4)}[i%4]
		if got != want {
			t.Fatalf("answer %d is %q, want %q", i, got, want)
		}
	}
}

func transactions(t *testing.T, c *redis.Client) {
	ctx := deadline(t)
	results, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "{t}a", "1", 0)
		p.IncrBy(ctx, "{t}a", 41)
		p.MGet(ctx, "{t}a", "{t}b")
		return nil
	})
	must(t, "", err)
	if got := results[1].(*redis.IntCmd).Val(); got != 42 || results[2].(*redis.SliceCmd).Val()[0] != "42" {
		t.Errorf("answers %v", results)
	}
	_, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 10 {
			p.Set(ctx, fmt.Sprint("other", i), "1", 0)
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "different shards") {
		t.Errorf("keys of several shards: %v", err)
	}
	if n := c.Exists(ctx, "other0").Val(); n != 0 {
		t.Error("a part of the refused transaction was run")
	}
}

func watches(t *testing.T, c *redis.Client) {
	ctx := deadline(t)
	add := func(interfere bool) error {
		return c.Watch(ctx, func(tx *redis.Tx) error {
			n, err := tx.Get(ctx, "{w}n").Int()
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			if interfere {
				must(t, "", c.Set(ctx, "{w}n", 100, 0).Err()) // by another connection
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "{w}n", n+1, 0).Err() })
			return err
		}, "{w}n")
	}
	must(t, "", add(false))
	if err := add(true); !errors.Is(err, redis.TxFailedErr) {
		t.Errorf("a changed key: %v", err)
	}
	must(t, "", add(false))
	if got := c.Get(ctx, "{w}n").Val(); got != "101" {
		t.Errorf("the value is %s", got)
	}
	err := c.Watch(ctx, func(*redis.Tx) error { return nil }, keyOf(t, 0, 0), keyOf(t, 1, 0))
	if err == nil || !strings.HasPrefix(err.Error(), "CROSSSLOT") {
		t.Errorf("keys of two shards: %v", err)
	}
}

func scripts(t *testing.T, c *redis.Client) {
	ctx := deadline(t)
	s := redis.NewScript(`return {KEYS[1], ARGV[1]}`)
	for i := range 20 { // on all shards, each of which does not know it at first
		key := fmt.Sprint("script", i)
		if got := must(t, fmt.Sprint(s.Run(ctx, c, []string{key}, i).Val()), nil); got != fmt.Sprintf("[%s %d]", key, i) {
			t.Fatalf("%s", got)
		}
	}
	sha := must(t, c.ScriptLoad(ctx, "return 7").Val(), nil)
	if exists := must(t, c.ScriptExists(ctx, sha, strings.Repeat("0", 40)).Val(), nil); !slices.Equal(exists, []bool{true, false}) {
		t.Errorf("SCRIPT EXISTS: %v", exists)
	}
	for i := range 3 {
		if n, err := c.EvalSha(ctx, sha, []string{keyOf(t, i, 0)}).Int(); err != nil || n != 7 {
			t.Errorf("shard %d does not have the script: %v", i, err)
		}
	}
}

func sessions(t *testing.T, c *redis.Client) {
	ctx := deadline(t)
	must(t, "", c.Ping(ctx).Err())
	if name := must(t, c.ClientGetName(ctx).Val(), nil); name != "test" {
		t.Errorf("the name is %q", name)
	}
	one := c.Conn()
	defer one.Close()
	if must(t, one.ClientID(ctx).Val(), nil) == 0 || must(t, "", one.Select(ctx, 0).Err()) != "" {
		t.Error("no id")
	}
	must(t, "", one.Do(ctx, "COMMAND", "DOCS").Err())
	must(t, "", one.Do(ctx, "COMMAND").Err())
}
