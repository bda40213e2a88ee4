package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	client "github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/await"
	"github.com/flotilla-dev/flotilla/internal/realserver"
)

// One suite runs over the embedded Redis and over the real one, by the client
// that the fleet uses.
func TestConformanceOfTheEmbeddedServer(t *testing.T) { conform(t, embedded(t)) }
func TestConformanceOfTheRealServer(t *testing.T)     { conform(t, realServer(t)) }

func conform(t *testing.T, addr string) {
	t.Helper()
	for name, test := range suite {
		t.Run(name, func(t *testing.T) { test(t, connect(t, addr)) })
	}
}

func realServer(t *testing.T) string {
	t.Helper()
	return realserver.Redis(t, "the embedded Redis is NOT compared with the real one here")
}

// connect opens a client on an empty database.
func connect(t *testing.T, addr string) *client.Client {
	t.Helper()
	c := client.NewClient(&client.Options{Addr: addr, MaxRetries: -1})
	t.Cleanup(func() { c.Close() })
	if err := c.FlushAll(deadline(t)).Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

var suite = map[string]func(*testing.T, *client.Client){
	"KeysExpireByThemselves":              expiry,
	"ALockIsTakenOnceAndComesBack":        lock,
	"PipelinesKeepTheirOrder":             pipeline,
	"WatchNoticesAChange":                 watch,
	"ABinaryValueOfAMegabyteComesBack":    binary,
	"AScriptIsAtomicAndCached":            script,
	"TheRateLimiterOfRedisRateCounts":     rateLimit,
	"AStreamIsTrimmedAndRead":             stream,
	"ABlockedReaderIsWoken":               blockedReader,
	"ABlockedReaderGivesUpInTime":         blockedTimeout,
	"AConsumerGroupDeliversOnce":          group,
	"SubscribersHear":                     pubsub,
	"HashesAndSortedSetsWork":             structures,
	"ErrorsHaveTheirNames":                errorNames,
	"AScanSeesEveryKey":                   scan,
	"INFOSaysWhoItIs":                     info,
	"BothProtocolVersionsAreSpoken":       protocols,
	"AMalformedCommandEndsOneClient":      malformed,
	"ATransactionAnswersAllInOrder":       transaction,
	"ListsAreQueues":                      lists,
	"TheClockOfTheServerIsTheClockOfTime": clock,
}

func expiry(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	start := time.Now()
	must(t, "", c.Set(ctx, "k", "v", 200*time.Millisecond).Err())
	want(t, "has a TTL", must(t, c.PTTL(ctx, "k").Val(), nil) > 0, true)
	await.That(t, "the key expired", func() bool { return c.Exists(ctx, "k").Val() == 0 })
	if took := time.Since(start); took < 170*time.Millisecond || took > 10*time.Second {
		t.Errorf("a key of 200 ms lived for %v", took)
	}
	must(t, "", c.HSet(ctx, "h", "a", 1).Err())
	must(t, true, c.PExpireAt(ctx, "h", time.Now().Add(50*time.Millisecond)).Err())
	await.That(t, "the hash expired", func() bool { return c.Exists(ctx, "h").Val() == 0 })
}

func lock(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	want(t, "first", c.SetNX(ctx, "lock", "a", 100*time.Millisecond).Val(), true)
	want(t, "second", c.SetNX(ctx, "lock", "b", time.Minute).Val(), false)
	await.That(t, "the lock came back", func() bool { return c.SetNX(ctx, "lock", "b", time.Minute).Val() })
}

func pipeline(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	results, err := c.Pipelined(ctx, func(p client.Pipeliner) error {
		for range 1000 {
			p.Incr(ctx, "n")
		}
		return nil
	})
	must(t, "", err)
	for i, r := range results {
		if got := r.(*client.IntCmd).Val(); got != int64(i+1) {
			t.Fatalf("answer %d is %d", i+1, got)
		}
	}
}

func watch(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	err := c.Watch(ctx, func(tx *client.Tx) error {
		must(t, "", c.Set(ctx, "w", "other", 0).Err()) // by another connection
		_, err := tx.TxPipelined(ctx, func(p client.Pipeliner) error { return p.Set(ctx, "w", "mine", 0).Err() })
		return err
	}, "w")
	want(t, "the transaction failed", errors.Is(err, client.TxFailedErr), true)
	want(t, "value", c.Get(ctx, "w").Val(), "other")
}

func transaction(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	results, err := c.TxPipelined(ctx, func(p client.Pipeliner) error {
		p.Set(ctx, "a", "1", 0)
		p.IncrBy(ctx, "a", 41)
		p.Get(ctx, "a")
		return nil
	})
	must(t, "", err)
	want(t, "last answer", results[2].(*client.StringCmd).Val(), "42")
}

func binary(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	value := strings.Repeat("\r\n\x00$5\xff", 1<<20/6)
	must(t, "", c.Set(ctx, "b", value, 0).Err())
	want(t, "is equal", must(t, c.Get(ctx, "b").Val(), nil) == value, true)
	must(t, "", c.Set(ctx, "", "", 0).Err())
	want(t, "empty", must(t, c.Get(ctx, "").Val(), c.Get(ctx, "").Err()), "")
}

// lease takes up to n tokens of a bucket: the shape of script that a shared
// rate limit needs.
const lease = `
local have = tonumber(redis.call('GET', KEYS[1]) or ARGV[2])
local take = math.min(have, tonumber(ARGV[1]))
redis.call('SET', KEYS[1], have - take, 'PX', 60000)
return {take, tostring(have - take), redis.call('PTTL', KEYS[1]) > 0}
`

func script(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	s := client.NewScript(lease)
	want(t, "before it is loaded", s.EvalSha(ctx, c, []string{"bucket"}, 1, 1).Err() != nil, true)
	taken := int64(0)
	for range 10 {
		got, err := s.Run(ctx, c, []string{"bucket"}, 7, 50).Slice()
		must(t, "", err)
		taken += got[0].(int64)
	}
	want(t, "taken", taken, 50)
	_, err := c.Eval(ctx, `return redis.call('HGET', KEYS[1], 'x')`, []string{"bucket"}).Result()
	if err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("an error inside a script is %v", err)
	}
	want(t, "pcall", c.Eval(ctx, `local r = redis.pcall('HGET', KEYS[1], 'x'); return r.err ~= nil`, []string{"bucket"}).Val(), any(int64(1)))
}

func rateLimit(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	limiter := redis_rate.NewLimiter(c)
	allowed := 0
	for range 15 {
		r, err := limiter.Allow(ctx, "user", redis_rate.PerMinute(10))
		must(t, "", err)
		allowed += r.Allowed
	}
	want(t, "allowed", allowed, 10)
}

func stream(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	var ids []string
	for i := range 20 {
		id, err := c.XAdd(ctx, &client.XAddArgs{Stream: "s", MaxLen: 10, Values: map[string]any{"n": i}}).Result()
		ids = append(ids, must(t, id, err))
	}
	want(t, "length", c.XLen(ctx, "s").Val(), 10)
	all := must(t, c.XRange(ctx, "s", "-", "+").Val(), nil)
	want(t, "first id", all[0].ID, ids[10])
	want(t, "first value", all[0].Values["n"], any("10"))
	after := must(t, c.XRangeN(ctx, "s", "("+ids[14], "+", 2).Val(), nil)
	want(t, "after the fifteenth", after[0].ID, ids[15])
	newest := c.XRevRangeN(ctx, "s", "+", "-", 1).Val()
	want(t, "newest", newest[0].ID, ids[19])
	read, err := c.XRead(ctx, &client.XReadArgs{Streams: []string{"s", ids[17]}, Block: -1}).Result()
	want(t, "read after the eighteenth", len(must(t, read, err)[0].Messages), 2)
	must(t, "", c.XAdd(ctx, &client.XAddArgs{Stream: "s", MaxLen: 5, Approx: true, Values: []any{"n", 20}}).Err())
	must(t, 0, c.XTrimMinID(ctx, "s", ids[18]).Err())
	want(t, "trimmed by id", c.XLen(ctx, "s").Val() <= 3, true)
	if err := c.XAdd(ctx, &client.XAddArgs{Stream: "s", ID: "1-1", Values: []any{"n", 0}}).Err(); err == nil || !strings.Contains(err.Error(), "equal or smaller") {
		t.Errorf("an id that goes back: %v", err)
	}
	want(t, "explicit id", c.XAdd(ctx, &client.XAddArgs{Stream: "e", ID: "7-1", Values: []any{"n", 0}}).Val(), "7-1")
	want(t, "of no stream", len(c.XRange(ctx, "none", "-", "+").Val()), 0)
}

func blockedReader(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	reader := client.NewClient(&client.Options{Addr: c.Options().Addr, PoolSize: 1})
	defer reader.Close()
	got := make(chan string, 1)
	go func() {
		read, err := reader.XRead(ctx, &client.XReadArgs{Streams: []string{"s", "0"}, Block: 5 * time.Second}).Result()
		if err != nil {
			got <- err.Error()
			return
		}
		got <- read[0].Messages[0].Values["purge"].(string)
	}()
	await.That(t, "the reader is connected", func() bool {
		return strings.Contains(c.Info(ctx, "clients").Val(), "connected_clients:2\r")
	})
	must(t, "", c.XAdd(ctx, &client.XAddArgs{Stream: "s", Values: []any{"purge", "/dog"}}).Err())
	want(t, "woken by", <-got, "/dog")
}

func blockedTimeout(t *testing.T, c *client.Client) {
	start := time.Now()
	_, err := c.XRead(deadline(t), &client.XReadArgs{Streams: []string{"s", "$"}, Block: 100 * time.Millisecond}).Result()
	want(t, "nothing came", errors.Is(err, client.Nil), true)
	if took := time.Since(start); took < 90*time.Millisecond || took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func group(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	must(t, "", c.XGroupCreateMkStream(ctx, "q", "g", "0").Err())
	for i := range 4 {
		must(t, "", c.XAdd(ctx, &client.XAddArgs{Stream: "q", Values: []any{"n", i}}).Err())
	}
	seen := map[string]bool{}
	for _, consumer := range []string{"a", "b"} {
		read, err := c.XReadGroup(ctx, &client.XReadGroupArgs{Group: "g", Consumer: consumer, Streams: []string{"q", ">"}, Count: 2, Block: -1}).Result()
		for _, m := range must(t, read, err)[0].Messages {
			want(t, m.ID+" was delivered before", seen[m.ID], false)
			seen[m.ID] = true
			want(t, "acknowledged", c.XAck(ctx, "q", "g", m.ID).Val(), 1)
		}
	}
	want(t, "delivered", len(seen), 4)
	want(t, "pending", c.XPending(ctx, "q", "g").Val().Count, 0)
}

func pubsub(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	s := c.Subscribe(ctx, "news")
	defer s.Close()
	_, err := s.Receive(ctx) // the confirmation
	must(t, "", err)
	want(t, "heard by", c.Publish(ctx, "news", "sail").Val(), 1)
	m, err := s.ReceiveMessage(ctx)
	want(t, "message", must(t, m, err).Payload, "sail")
}

func structures(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	must(t, 0, c.HSet(ctx, "h", map[string]any{"a": 1, "b": 2}).Err())
	want(t, "incremented", c.HIncrBy(ctx, "h", "a", 5).Val(), 6)
	want(t, "fields", len(c.HGetAll(ctx, "h").Val()), 2)
	must(t, 0, c.ZAdd(ctx, "z", client.Z{Score: 1, Member: "x"}, client.Z{Score: 3, Member: "y"}, client.Z{Score: 2, Member: "z"}).Err())
	want(t, "by score", strings.Join(c.ZRangeArgs(ctx, client.ZRangeArgs{Key: "z", Start: "(1", Stop: "+inf", ByScore: true}).Val(), ""), "zy")
	want(t, "popped", c.ZPopMin(ctx, "z").Val()[0].Member, any("x"))
	must(t, 0, c.SAdd(ctx, "set", "a", "b", "a").Err())
	want(t, "members", c.SCard(ctx, "set").Val(), 2)
}

func lists(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	must(t, 0, c.RPush(ctx, "l", "a", "b", "c").Err())
	want(t, "first", c.LPop(ctx, "l").Val(), "a")
	got, err := c.BLPop(ctx, time.Second, "l").Result()
	want(t, "blocking", must(t, got, err)[1], "b")
}

func errorNames(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	must(t, "", c.Set(ctx, "s", "x", 0).Err())
	for prefix, err := range map[string]error{
		"WRONGTYPE":           c.LPush(ctx, "s", "x").Err(),
		"NOSCRIPT":            c.EvalSha(ctx, strings.Repeat("0", 40), nil).Err(),
		"ERR unknown command": c.Do(ctx, "NOSUCH").Err(),
		"ERR value is not an": c.Incr(ctx, "s").Err(),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), prefix) {
			t.Errorf("want %s, got %v", prefix, err)
		}
	}
	want(t, "nothing there", errors.Is(c.Get(ctx, "none").Err(), client.Nil), true)
}

func scan(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	for i := range 300 {
		must(t, "", c.Set(ctx, fmt.Sprintf("k:%d", i), i, 0).Err())
	}
	seen := map[string]bool{}
	for it := c.Scan(ctx, 0, "k:*", 50).Iterator(); it.Next(ctx); {
		seen[it.Val()] = true
	}
	want(t, "keys", len(seen), 300)
	want(t, "unlinked", c.Unlink(ctx, "k:1", "k:2", "none").Val(), 2)
}

func info(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	for _, field := range []string{"redis_version:", "connected_clients:", "used_memory:", "role:master"} {
		if !strings.Contains(c.Info(ctx).Val(), field) {
			t.Errorf("%s is missing", field)
		}
	}
	one := c.Info(ctx, "replication").Val()
	want(t, "one section", strings.Contains(one, "role:master") && !strings.Contains(one, "used_memory"), true)
}

func protocols(t *testing.T, c *client.Client) {
	for _, version := range []int{2, 3} {
		other := client.NewClient(&client.Options{Addr: c.Options().Addr, Protocol: version})
		defer other.Close()
		ctx := deadline(t)
		must(t, 0, other.HSet(ctx, "p", "a", "1").Err())
		want(t, "hash", other.HGetAll(ctx, "p").Val()["a"], "1")
	}
}

func clock(t *testing.T, c *client.Client) {
	now, err := c.Time(deadline(t)).Result()
	if off := time.Since(must(t, now, err)).Abs(); off > time.Second {
		t.Errorf("the server's clock is %v off", off)
	}
}

// malformed bytes must end the connection that sent them, and nothing else.
func malformed(t *testing.T, c *client.Client) {
	ctx := deadline(t)
	for _, input := range []string{"*1\r\n$99999999999999\r\n", "*9999999999\r\n", "*1\r\n:5\r\n", "*2\r\n$3\r\nGET\r\n*1\r\n"} {
		conn, err := net.Dial("tcp", c.Options().Addr)
		must(t, conn, err)
		_, err = conn.Write([]byte(input))
		must(t, 0, err)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "-ERR Protocol error") {
			t.Errorf("%q was answered by %q, %v", input, line, err)
		}
		conn.Close()
	}
	must(t, "", c.Ping(ctx).Err())
}
