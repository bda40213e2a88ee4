package command

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func split(line string) [][]byte {
	var args [][]byte
	for _, word := range strings.Fields(line) {
		args = append(args, []byte(word))
	}
	return args
}

// keys are the words of a command that are its keys.
func keys(args [][]byte, k Keys) string {
	var found []string
	if k.First > 0 {
		for i := k.First; i <= k.Last; i += k.Step {
			found = append(found, string(args[i]))
		}
	}
	if k.Extra > 0 {
		found = append(found, string(args[k.Extra]))
	}
	return strings.Join(found, " ")
}

func TestMistakesAreToldInRedisWords(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"get":                               "ERR wrong number of arguments for 'get' command",
		"mset k":                            "ERR wrong number of arguments for 'mset' command",
		"mset k v l":                        "ERR wrong number of arguments for 'mset' command",
		"rename a":                          "ERR wrong number of arguments for 'rename' command",
		"eval script":                       "ERR wrong number of arguments for 'eval' command",
		"eval script x k":                   "ERR value is not an integer",
		"eval script 2 k":                   "ERR Number of keys can't be greater",
		"eval script 99999999999999999999":  "ERR value is not an integer",
		"eval script -1":                    "ERR value is not an integer",
		"eval script 0 a":                   "ERR this command needs a key here",
		"xread count 1 block 0 streams s $": "ERR BLOCK is not supported",
		"xread streams a b 0":               "ERR Unbalanced",
		"xread count 1":                     "ERR wrong number",
		"sort k by w_*":                     "ERR BY and GET of other keys",
		"sort k get o_* get #":              "ERR BY and GET of other keys",
		"object help":                       "ERR OBJECT is supported with ENCODING, FREQ, IDLETIME and REFCOUNT only",
		"object encoding":                   "ERR wrong number of arguments for 'object|encoding'",
		"memory doctor":                     "ERR MEMORY is supported with USAGE only",
	} {
		args := split(line)
		if k, err := Find(args[0]).Keys(args); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: want %q, got %q, %v", line, want, keys(args, k), err)
		}
	}
}

func TestKeysAreFound(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"GET a": "a", "set a b": "a", "MGET a b c": "a b c", "mset a 1 b 2": "a b", "del a": "a", "lmove a b left right": "a b",
		"bitop and d a b": "d a b", "sinterstore d a b": "d a b", "zunionstore d 2 a b weights 1 2": "a b d", "zinter 2 a b": "a b",
		"eval s 2 a b c": "a b", "fcall f 1 a 2": "a", "lmpop 2 a b left": "a b", "xread count 2 streams a b 0 1": "a b",
		"xreadgroup group streams c streams a >": "a", "georadius a 1 2 3 m store b": "a b", "georadius a 1 2 3 m": "a",
		"sort a limit 0 1 get # by nosort store b": "a b", "sort_ro a": "a", "xgroup create a g $": "a", "object encoding a": "a", "watch a b": "a b",
		"msetnx a 1 b 2": "a b", "copy a b replace": "a b",
	} {
		args := split(line)
		if k, err := Find(args[0]).Keys(args); err != nil || keys(args, k) != want || k.Len() != len(strings.Fields(want)) {
			t.Errorf("%s: %q (%d), %v", line, keys(args, k), k.Len(), err)
		}
	}
}

func TestNamesAreFoundInAnyCase(t *testing.T) {
	for _, name := range []string{"georadiusbymember_ro", "GEORADIUSBYMEMBER_RO", "GeoRadiusByMember_Ro"} {
		if Find([]byte(name)) == nil {
			t.Errorf("%s is unknown", name)
		}
	}
	for _, name := range []string{"", "NOSUCH", "GET ", strings.Repeat("x", 1000), "gét"} {
		if s := Find([]byte(name)); s != nil {
			t.Errorf("%q is %s", name, s.Name)
		}
	}
	for name := range table {
		if len(name) > longest {
			t.Errorf("%s is never found", name)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Find([]byte("get")) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What twemproxy 0.5 supports, by its notes/redis.md.
const twemproxy = `DEL DUMP EXISTS EXPIRE EXPIREAT PERSIST PEXPIRE PEXPIREAT PTTL RESTORE SORT TTL TYPE TOUCH UNLINK
APPEND BITCOUNT BITFIELD BITPOS DECR DECRBY GET GETBIT GETDEL GETEX GETRANGE GETSET INCR INCRBY INCRBYFLOAT MGET MSET PSETEX SET SETBIT SETEX SETNX SETRANGE STRLEN
HDEL HEXISTS HGET HGETALL HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HRANDFIELD HSCAN HSET HSETNX HSTRLEN HVALS
LINDEX LINSERT LLEN LMOVE LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM RPOP RPOPLPUSH RPUSH RPUSHX
SADD SCARD SDIFF SDIFFSTORE SINTER SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SPOP SRANDMEMBER SREM SSCAN SUNION SUNIONSTORE
ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERSTORE ZLEXCOUNT ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE
ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE
PFADD PFCOUNT PFMERGE COPY EVAL EVALSHA GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER GEOSEARCH GEOSEARCHSTORE
AUTH ECHO PING QUIT SELECT COMMAND LOLWUT`

func TestWhatTwemproxySupportsIsSupported(t *testing.T) {
	t.Parallel()
	for _, name := range strings.Fields(twemproxy) {
		if s := Find([]byte(name)); s == nil || s.Kind == Refused {
			t.Errorf("%s is not supported", name)
		}
	}
}

func FuzzKeys(f *testing.F) {
	for _, line := range []string{"mset a 1 b 2", "zunionstore d 2 a b", "xread streams a 0", "sort a by x get y store z", "eval s 1 a", "object encoding a"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := split(line)
		if len(args) == 0 {
			return
		}
		s := Find(args[0])
		if s == nil || s.Kind == Refused || s.Kind == Local || s.Kind == Any || s.Kind == Script {
			return
		}
		k, err := s.Keys(args)
		if err == nil && (k.Len() == 0 || len(strings.Fields(keys(args, k))) != k.Len()) {
			t.Fatalf("%s: %+v", line, k)
		}
	})
}
