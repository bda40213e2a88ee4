package command

import "strings"

// table is made once and never changed.
var table = build()

// One key, argument 1. Commands that do not write are marked by their line.
const (
	readsOne = `DUMP EXPIRETIME PEXPIRETIME PTTL TTL TYPE
BITCOUNT BITFIELD_RO BITPOS GET GETBIT GETRANGE STRLEN SUBSTR
HEXISTS HGET HGETALL HKEYS HLEN HMGET HRANDFIELD HSCAN HSTRLEN HVALS HEXPIRETIME HPEXPIRETIME HPTTL HTTL
LINDEX LLEN LPOS LRANGE SCARD SISMEMBER SMEMBERS SMISMEMBER SRANDMEMBER SSCAN
ZCARD ZCOUNT ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE
GEODIST GEOHASH GEOPOS GEOSEARCH GEORADIUS_RO GEORADIUSBYMEMBER_RO
XLEN XPENDING XRANGE XREVRANGE`

	writesOne = `EXPIRE EXPIREAT PERSIST PEXPIRE PEXPIREAT RESTORE
APPEND BITFIELD DECR DECRBY GETDEL GETEX GETSET INCR INCRBY INCRBYFLOAT PSETEX SET SETBIT SETEX SETNX SETRANGE
HDEL HGETDEL HGETEX HINCRBY HINCRBYFLOAT HMSET HSET HSETEX HSETNX HEXPIRE HEXPIREAT HPERSIST HPEXPIRE HPEXPIREAT
LINSERT LPOP LPUSH LPUSHX LREM LSET LTRIM RPOP RPUSH RPUSHX SADD SPOP SREM
ZADD ZINCRBY ZPOPMAX ZPOPMIN ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE
PFADD GEOADD XACK XADD XAUTOCLAIM XCLAIM XDEL XSETID XTRIM`
)

// Refused commands by reason.
var refused = map[string]string{
	"it concerns the keys of all shards":             "DBSIZE FLUSHALL FLUSHDB KEYS RANDOMKEY SCAN SWAPDB",
	"it would block a connection that others share":  "BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN WAIT WAITAOF",
	"it needs a connection of its own to one server": "MONITOR PSUBSCRIBE PSYNC PUBLISH PUBSUB PUNSUBSCRIBE SPUBLISH SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SYNC UNSUBSCRIBE",
	"it concerns one server, so ask that one": "ACL ASKING BGREWRITEAOF BGSAVE CLUSTER CONFIG DEBUG FAILOVER FUNCTION INFO LASTSAVE LATENCY MIGRATE MODULE MOVE " +
		"READONLY READWRITE REPLICAOF ROLE SAVE SHUTDOWN SLAVEOF SLOWLOG",
}

func build() map[string]*Spec {
	t := map[string]*Spec{}
	add := func(names string, s Spec) {
		for _, name := range strings.Fields(names) {
			one := s
			one.Name = name
			t[name] = &one
		}
	}
	keyed := func(names string, write bool, first, last, step int) {
		add(names, Spec{Write: write, first: first, last: last, step: step})
	}
	keyed(readsOne, false, 1, 1, 1)
	keyed(writesOne, true, 1, 1, 1)
	keyed("LCS", false, 1, 2, 1)
	keyed("COPY GEOSEARCHSTORE LMOVE RENAME RENAMENX RPOPLPUSH SMOVE ZRANGESTORE", true, 1, 2, 1)
	keyed("PFCOUNT SDIFF SINTER SUNION", false, 1, -1, 1)
	keyed("PFMERGE SDIFFSTORE SINTERSTORE SUNIONSTORE", true, 1, -1, 1)
	keyed("MSETNX", true, 1, -1, 2)
	keyed("BITOP", true, 2, -1, 1)

	add("MGET", Spec{Kind: Values, first: 1, last: -1, step: 1})
	add("EXISTS TOUCH", Spec{Kind: Count, first: 1, last: -1, step: 1})
	add("DEL UNLINK", Spec{Kind: Count, Write: true, first: 1, last: -1, step: 1})
	add("MSET", Spec{Kind: Status, Write: true, first: 1, last: -1, step: 2})

	found := func(names string, write bool, find func(name string) func([][]byte) (Keys, error)) {
		for _, name := range strings.Fields(names) {
			add(name, Spec{Write: write, find: find(name)})
		}
	}
	numkeys := func(at, extra int) func(string) func([][]byte) (Keys, error) {
		return func(name string) func([][]byte) (Keys, error) { return counted(name, at, extra) }
	}
	found("SINTERCARD ZDIFF ZINTER ZINTERCARD ZUNION", false, numkeys(1, 0))
	found("LMPOP ZMPOP", true, numkeys(1, 0))
	found("ZDIFFSTORE ZINTERSTORE ZUNIONSTORE", true, numkeys(2, 1))
	// Those of scripts that only read count as writing: a replica may not have
	// the script.
	found("EVAL EVAL_RO EVALSHA EVALSHA_RO FCALL FCALL_RO", true, numkeys(2, 0))
	found("XREAD", false, streams)
	found("XREADGROUP", true, streams)
	found("GEORADIUS GEORADIUSBYMEMBER", true, stored)
	found("SORT", true, sorted)
	found("SORT_RO", false, sorted)
	add("OBJECT", Spec{find: sub("OBJECT", "ENCODING", "FREQ", "IDLETIME", "REFCOUNT")})
	add("MEMORY", Spec{find: sub("MEMORY", "USAGE")})
	add("XINFO", Spec{find: sub("XINFO", "CONSUMERS", "GROUPS", "STREAM")})
	add("XGROUP", Spec{Write: true, find: sub("XGROUP", "CREATE", "CREATECONSUMER", "DELCONSUMER", "DESTROY", "SETID")})

	add("LOLWUT TIME", Spec{Kind: Any})
	add("SCRIPT", Spec{Kind: Script, Write: true})
	add("AUTH CLIENT COMMAND ECHO HELLO PING QUIT RESET SELECT", Spec{Kind: Local})
	add("DISCARD EXEC MULTI UNWATCH WATCH", Spec{Kind: Session, first: 1, last: -1, step: 1})
	for reason, names := range refused {
		add(names, Spec{Kind: Refused, Reason: reason})
	}
	return t
}

// Len is the number of commands that are not refused.
func Len() int {
	n := 0
	for _, s := range table {
		if s.Kind != Refused {
			n++
		}
	}
	return n
}
