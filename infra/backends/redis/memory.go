package redis

import (
	"context"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// memory watches the live memory of the process. miniredis does not count the
// bytes of its keys; the garbage collector knows them as of its last run, and
// it runs before the heap has doubled.
type memory struct {
	limit uint64
	live  atomic.Uint64
}

const liveBytes = "/gc/heap/live:bytes"

func (m *memory) watch(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: liveBytes}}
	for {
		metrics.Read(sample)
		m.live.Store(sample[0].Value.Uint64())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (m *memory) used() uint64 { return m.live.Load() }
func (m *memory) full() bool   { return m.live.Load() > m.limit }

// adding are the commands that Redis flags "denyoom".
const adding = " APPEND BITOP COPY DECR DECRBY EVAL EVALSHA GEOADD GEORADIUS GETSET HINCRBY HINCRBYFLOAT HMSET HSET HSETNX " +
	"INCR INCRBY INCRBYFLOAT LINSERT LMOVE LPUSH LPUSHX LSET MSET MSETNX PFADD PFMERGE PSETEX RESTORE RPOPLPUSH RPUSH RPUSHX " +
	"SADD SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SINTERSTORE SUNIONSTORE XADD ZADD ZDIFFSTORE ZINCRBY ZINTERSTORE ZRANGESTORE ZUNIONSTORE "
